"""Text that people read: which characters it may hold, which of them show nothing, and when two names are the same.

The tables are those of Unicode 17.0 with the ranges that it reserves for the same purpose, never the ones of the
running Python. A character that Unicode assigns later is taken like any other. Normalization and case-folding never
change for an assigned character (https://www.unicode.org/policies/stability_policy.html).
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import cache, lru_cache
from typing import NamedTuple

FORBIDDEN = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
"""Controls, surrogates and noncharacters (The Unicode Standard, 23.1, 23.6 and 23.7; fixed for good)."""

MAX_NAME = 200  # characters
MAX_DESCRIPTION = 2000
MAX_EXPANSION = 4  # characters that one in NFC may come from

MAX_MARKS = 30
"""Combining marks on one character, as in Unicode's Stream-Safe Text Format (UAX #15). Normalization sorts them, in a
time that grows with the square of their number."""

LAYOUT = dict.fromkeys(map(ord, "\t\n\r"))
"""The controls that a description may hold."""

SPACES = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""The characters that ``str.split`` divides at."""

OTHER_SPACES = frozenset(SPACES) - {" ", "\n"}

JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: they spell words in Persian and Hindi, and build emoji. At a word's edge they mean
nothing."""

BLANK = "\u2800\U0001d159"
"""Characters with a blank glyph that are not white space: the braille pattern without dots, the null notehead."""

IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e001f\U000e0080-\U000e0fff"
)
"""Default_Ignorable_Code_Point (DerivedCoreProperties.txt) and the interlinear annotation characters, without joiners
and without tags."""

TAGS = "\U000e0020-\U000e007f"
FLAG = f"\U0001f3f4[{TAGS}]+?\U000e007f"
"""A flag whose tags name a region (UTS #51, ED-14a): without them, England and Scotland have one flag."""

EDGES = f"{SPACES}\u00ad\u200b\u2060\u3164\ufeff\uffa0{JOINERS}{BLANK}"
"""Characters that are removed at the ends of a name. Variation selectors, tags and direction marks stay: they belong to
a character that is seen."""


class _Patterns(NamedTuple):
    special: re.Pattern[str]  # everything that the others find
    forbidden: re.Pattern[str]
    visible: re.Pattern[str]
    ignorable: re.Pattern[str]
    others: re.Pattern[str]  # what the next three find
    tags: re.Pattern[str]
    blank: re.Pattern[str]
    joiners: re.Pattern[str]
    marks: re.Pattern[bytes]


@cache
def _patterns() -> _Patterns:
    """Compile at the first text that is not ASCII: most requests hold none."""
    return _Patterns(
        special=re.compile(f"[{FORBIDDEN}{IGNORABLE}{TAGS}{BLANK}{JOINERS}]"),
        forbidden=re.compile(f"[{FORBIDDEN}]"),
        visible=re.compile(f"[^{IGNORABLE}{TAGS}{BLANK}{JOINERS}{SPACES}]"),
        ignorable=re.compile(f"[{IGNORABLE}]+"),
        others=re.compile(f"[{TAGS}{BLANK}{JOINERS}]"),
        tags=re.compile(f"({FLAG})|[{TAGS}]"),
        blank=re.compile(f"[{BLANK}]"),
        joiners=re.compile(f"([{JOINERS}])\\1+"),
        marks=re.compile(rb"[^\0]{%d}" % (MAX_MARKS + 1)),
    )


def nfc(text: str) -> str:
    """Return the text in Unicode's composed form, in which this service sends, stores and compares it."""
    return unicodedata.normalize("NFC", text)


def spelling_key(text: str) -> str:
    """Return the text without all that is not seen: in NFC, trimmed, with single spaces, without invisible characters.

    Texts with equal keys look the same. The key is empty if the text shows nothing.
    """
    if text.isascii():
        return " ".join(text.split())
    patterns = _patterns()
    text = patterns.ignorable.sub("", text)
    if not patterns.others.search(text):
        return " ".join(nfc(text).split())
    text = patterns.joiners.sub(r"\1", patterns.blank.sub(" ", patterns.tags.sub(r"\1", text)))
    words = (word.strip(JOINERS) for word in nfc(text).split())
    return " ".join(filter(None, words))


def spelling_keys(texts: Collection[str]) -> Iterable[str]:
    """Return the key of each clean name. Most lists are their own keys, which one search in all of them shows."""
    together = "\n".join(texts)
    if "  " in together or not (together.isascii() or _is_plain(together)):
        return map(spelling_key, texts)
    return texts


def _is_plain(text: str) -> bool:
    """Whether the text holds neither a special character nor a space but the usual one."""
    return not _patterns().special.search(text.replace("\n", "")) and not OTHER_SPACES.intersection(text)


@lru_cache(10_000)
def natural_key(name: str) -> str:
    """Return the spelling key of the name, case-folded. Names with equal natural keys are the same.

    Case-folding may take a string out of NFC, so it is normalized twice.
    """
    return nfc(spelling_key(name).casefold())


def clean_name(text: object) -> object:
    """Return the name in NFC, without white space and invisible characters at its ends.

    Raise ``ValueError`` if it holds a forbidden character or shows nothing. Any other value is returned unchanged.
    """
    if not isinstance(text, str) or not text:
        return text
    trimmed = text.strip(EDGES)
    if trimmed.isascii():
        if trimmed and trimmed.isprintable():
            return trimmed
    elif len(trimmed) > MAX_NAME * MAX_EXPANSION:
        return trimmed  # too long in any form
    elif len(trimmed) <= MAX_MARKS and not _patterns().special.search(trimmed):
        return nfc(trimmed)
    _require_allowed(trimmed)
    if not _patterns().visible.search(trimmed):
        raise ValueError("must contain a visible character")
    return nfc(trimmed)


def clean_description(text: object) -> object:
    """Return the text in NFC, with line feeds as line breaks. Raise ``ValueError`` if it holds a forbidden character.

    Any other value is returned unchanged.
    """
    if not isinstance(text, str) or len(text) > MAX_DESCRIPTION * MAX_EXPANSION:
        return text
    _require_allowed(text.translate(LAYOUT))
    return nfc(text.replace("\r\n", "\n").replace("\r", "\n"))


def _require_allowed(text: str) -> None:
    is_ascii = text.isascii()
    if not text.isprintable() if is_ascii else _patterns().forbidden.search(text):
        raise ValueError("must not contain control characters, noncharacters or lone surrogates")
    is_long = not is_ascii and len(text) > MAX_MARKS
    if is_long and _patterns().marks.search(bytes(map(unicodedata.combining, text))):
        raise ValueError(f"must not have more than {MAX_MARKS} combining marks on one character")
