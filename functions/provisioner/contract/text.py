"""Text that people read: which characters it may hold, which of them show nothing, and when two names are the same.

The tables are those of Unicode 17.0 with the ranges that it reserves for the same purpose, never the ones of the
running Python. A character that Unicode assigns later is taken like any other. Normalization and case-folding never
change for an assigned character (https://www.unicode.org/policies/stability_policy.html).
"""

import re
import unicodedata
from functools import cache, lru_cache

FORBIDDEN = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
"""Controls, surrogates and noncharacters (The Unicode Standard, 23.1, 23.6 and 23.7; fixed for good)."""

LAYOUT = dict.fromkeys(map(ord, "\t\n\r"))
"""The controls that a description may hold."""

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

FLAG = "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"
"""A flag whose tags name a region (UTS #51, ED-14a): without them, England and Scotland have one flag."""

TAGS = "[\U000e0020-\U000e007f]"


EDGES = f"\u00ad\u200b\u2060\u3164\ufeff\uffa0{JOINERS}{BLANK}"
"""Characters that are removed at the ends of a name. Variation selectors, tags and direction marks stay: they belong to
a character that is seen."""


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """Compile at the first text that is not ASCII: most requests hold none."""
    return re.compile(pattern)


def nfc(text: str) -> str:
    """Return the text in Unicode's composed form, in which this service sends, stores and compares it."""
    return unicodedata.normalize("NFC", text)


def spelling_key(text: str) -> str:
    """Return the text without all that is not seen: in NFC, trimmed, with single spaces, without invisible characters.

    Texts with equal keys look the same. The key is empty if the text shows nothing.
    """
    if text.isascii():
        return " ".join(text.split())
    text = _pattern(f"[{IGNORABLE}]").sub("", text)
    text = _pattern(f"({FLAG})|{TAGS}").sub(r"\1", text)
    text = _pattern(f"[{BLANK}]").sub(" ", text)
    text = _pattern(f"([{JOINERS}])\\1+").sub(r"\1", text)
    words = (word.strip(JOINERS) for word in nfc(text).split())
    return " ".join(filter(None, words))


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
    trimmed = text.strip() if text.isascii() else _pattern(f"^[\\s{EDGES}]+|[\\s{EDGES}]+$").sub("", text)
    _require_allowed(trimmed)
    if not spelling_key(trimmed):
        raise ValueError("must contain a visible character")
    return nfc(trimmed)


def clean_description(text: object) -> object:
    """Return the text in NFC, with line feeds as line breaks. Raise ``ValueError`` if it holds a forbidden character.

    Any other value is returned unchanged.
    """
    if not isinstance(text, str):
        return text
    _require_allowed(text.translate(LAYOUT))
    return nfc(text.replace("\r\n", "\n").replace("\r", "\n"))


def _require_allowed(text: str) -> None:
    allowed = text.isprintable() if text.isascii() else not _pattern(f"[{FORBIDDEN}]").search(text)
    if not allowed:
        raise ValueError("must not contain control characters, noncharacters or lone surrogates")
