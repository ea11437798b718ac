"""Read the text of a secret, of tenants and of sources alike. Pure. No message contains any part of a secret.

People paste secrets: with a line break at the end, as a JSON string, or with the quotation marks of an example.
"""

import json
import re
from typing import Any

EDGES = " \t\n\r\x0b\x0c\x85\u00a0\u2028\u2029\u200b\ufeff"
QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
HEADER = re.compile(r"(?:authorization:\s*)?(bearer|basic)\s", re.IGNORECASE)
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class UnusableSecret(ValueError):
    """A secret that its owner must fix. The message says why: "it …"."""


def parse_text(text: str) -> str | dict[str, Any]:
    """Return the text without white space around it, or the JSON object in it. A JSON string is unwrapped once.

    Raise ``UnusableSecret`` if the text begins like JSON and is not JSON.
    """
    text = text.strip(EDGES)
    if text.startswith('"'):
        text = str(_parse_json(text, "a quotation mark")).strip(EDGES)
    if not text.startswith("{"):
        return text
    document: dict[str, Any] = _parse_json(text, "{")
    return document


def clean_value(value: object) -> str:
    """Return the string without white space around it. Raise ``UnusableSecret`` if it cannot be a secret."""
    if not isinstance(value, str):
        raise UnusableSecret("it is not a string")
    secret = value.strip(EDGES)
    if not secret:
        raise UnusableSecret("it is empty")
    if secret[0] in QUOTES and secret[-1] in QUOTES:
        raise UnusableSecret("it has quotation marks around it")
    if header := HEADER.match(secret):
        raise UnusableSecret(f"it begins with {header[1].capitalize()}, which belongs to the header")
    if UNPRINTABLE.search(secret):
        raise UnusableSecret("it contains a line break or another control character")
    return secret


def reason_of(name: str, error: UnusableSecret) -> str:
    """Return the reason as a sentence about ``name``, the place of the secret."""
    return f"{name} {str(error).removeprefix('it ')}"


def _parse_json(text: str, start: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnusableSecret(f"it starts with {start} but is not valid JSON") from None
