"""Makes text of others harmless to read: a name or a body may hold escapes of terminals, direction marks or nothing
visible at all.
"""

import json

JOINER = "\u200d"
"""The only invisible character that is not replaced: it makes one emoji of several."""


def visible(text: object, keep: str = "") -> str:
    """Return the text with each invisible character as its code point, for example ``⟨U+202E⟩``, except those kept."""
    return "".join(each if each in keep or not is_hidden(each) else _shown(each) for each in str(text))


def visible_json(document: object, indent: int | None = None) -> str:
    """Return JSON in which each invisible character is an escape: no terminal acts on it, and no reader loses it."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return "".join(each if each == "\n" or not is_hidden(each) else json.dumps(each)[1:-1] for each in text)


def is_hidden(character: str) -> bool:
    """Return whether it has no shape of its own: a control, a mark of direction, a space that is not U+0020."""
    return not character.isprintable() and character != JOINER


def _shown(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"
