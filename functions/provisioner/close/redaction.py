"""Remove a credential from Close's words, in every form in which an HTTP server may echo it. Pure."""

import base64
import re
from urllib.parse import unquote

CLOSE_KEY = re.compile(
    r"api_[A-Za-z0-9]+\.[A-Za-z0-9.]+"  # any Close key, not only the tenant's own
    r"|YXBpX[A-Za-z0-9+/_-]{8,}=*"  # and its base64
    r"|6170695[fF][0-9A-Fa-f]{16,}"  # and its hex digits
)
WORD = re.compile(r"""[^\s"'<>()\[\]{},;]+""")
WRAP = re.compile(r"(?<=[A-Za-z0-9+/_-]{60})\r?\n(?=[A-Za-z0-9+/_=-])")  # as MIME and PEM wrap base64
MAX_READ = 20_000  # characters: far more than is shown
MIN_CHARACTERS = 8  # shorter forms of a secret occur in other words
TO_STANDARD_BASE64 = str.maketrans("-_", "+/")


def redact(text: str, secret: str) -> str:
    """Return the text with "…" in place of the secret and of every key of Close.

    The secret may be plain, URL-encoded, in a JSON pointer, in hex digits, or in base64, alone or in a text such as
    ``user:password``. Base64 and hex digits may be wrapped into lines of 60 or more.
    """
    if len(text) > MAX_READ:
        text = text[:MAX_READ].rpartition(" ")[0]  # never within the secret
    text = WRAP.sub("", text)
    text = text.replace(secret, "…") if secret else text
    forms = [form for form in _forms(secret) if len(form) >= MIN_CHARACTERS]

    def without(word: re.Match[str]) -> str:
        decoded = _decoded(word[0])
        return "…" if any(form in decoded for form in forms) else word[0]

    return CLOSE_KEY.sub("…", WORD.sub(without, text))


def _decoded(word: str) -> str:
    """Return the word URL-decoded, twice if it was encoded twice, in one case and one alphabet of base64."""
    return _folded(unquote(unquote(word)).replace("~1", "/").replace("~0", "~"))


def _folded(text: str) -> str:
    return text.casefold().translate(TO_STANDARD_BASE64)


def _forms(secret: str) -> list[str]:
    """Return the secret, its hex digits, and the part of its base64 that is the same wherever it is in another text."""
    encoded = secret.encode()
    in_base64 = [
        base64.b64encode(b"\0" * offset + encoded).decode()[-(-offset * 8 // 6) : (offset + len(encoded)) * 8 // 6]
        for offset in range(3)
    ]
    return list(map(_folded, [secret, encoded.hex(), *in_base64]))
