"""Makes text of others harmless to read: a name may hold line breaks, direction marks or nothing visible at all."""

import json

from markupsafe import Markup, escape

JOINER = "\u200d"
"""The only invisible character that is not replaced: it makes one emoji of several."""


def visible(text: object) -> str:
    """Return the text with each invisible character as its code point, for example ``⟨U+202E⟩``."""
    return "".join(_visible(each) for each in str(text))


def foreign(text: object) -> Markup:
    """Return the text as HTML that is isolated in its direction from the text around it."""
    return Markup("<bdi>{}</bdi>").format(escape(visible(text)))


def editable_json(document: object) -> str:
    """Return JSON to edit, in which each invisible character is an escape, so that none turns a line around."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "\n".join("".join(_escaped(each) for each in line) for line in text.split("\n"))


def _visible(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩" if _is_hidden(character) else character


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if _is_hidden(character) else character


def _is_hidden(character: str) -> bool:
    return not character.isprintable() and character != JOINER
