"""Puts generated text between the markers of a document: ``<!-- bench -->`` and ``<!-- /bench -->``."""

from pathlib import Path

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


class NoMarkers(ValueError):
    """The document has no place for the text."""


def replaced(document: str, text: str) -> str:
    """The document with the text between its markers. Raises ``NoMarkers``."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoMarkers(f"there is no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}"


def write_into(path: Path, text: str) -> bool:
    """Updates the file where it exists and has the markers; answers whether it does."""
    try:
        document = path.read_text(encoding="utf-8")
        path.write_text(replaced(document, text), encoding="utf-8")
    except (FileNotFoundError, NoMarkers):
        return False
    return True
