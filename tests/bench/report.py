"""Puts generated text between the markers of a document, such as ``<!-- bench -->`` and ``<!-- /bench -->``."""

from pathlib import Path


class NoMarkers(ValueError):
    """The document has no place for the text."""


def replaced(document: str, text: str, name: str = "bench") -> str:
    """The document with the text between its markers. Raises ``NoMarkers``."""
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begin, rest = document.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise NoMarkers(f"there is no {first} … {last}")
    return f"{before}{first}\n\n{text.strip()}\n\n{last}{after}"


def write_into(path: Path, text: str, name: str = "bench") -> bool:
    """Updates the file where it exists and has the markers; answers whether it does."""
    try:
        document = path.read_text(encoding="utf-8")
        path.write_text(replaced(document, text, name), encoding="utf-8")
    except (FileNotFoundError, NoMarkers):
        return False
    return True
