"""The signature schemes of senders, one row each. signatures.py verifies every one of them. Pure.

A row gives the headers, the layout of the signature header, the text that is signed before the body, the encoding of
the digest, the form of the secret, and the age that a signature may have. The facts are from the documentation of the
senders, which docs/guides/add-a-sender.md links to.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from provisioner.credentials.secret_text import UnusableSecret, clean_value

MIN_SECRET = 16  # characters: a shorter secret could be guessed
MIN_TOKEN = 20  # of a bearer token, which alone proves the sender
MIN_PASSWORD = 8
HEADER_TEXT = re.compile(r"[\x21-\x7e]+")


def _hex(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256).hex().encode()


def _base64(key: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256))


def _unchanged(key: bytes, _signed: bytes) -> bytes:
    return key


def _text_key(secret: str) -> bytes:
    return secret.encode()


def _standard_key(secret: str) -> bytes:
    """Decode 24 to 64 bytes of base64 after ``whsec_`` (Standard Webhooks, "Signature scheme")."""
    if secret.startswith("v1,"):
        raise UnusableSecret("it begins with v1, and a comma: the secret is the part that begins with whsec_")
    text = secret.removeprefix("whsec_").rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)  # some tools cut the padding off
    except (binascii.Error, ValueError):
        raise UnusableSecret("it is not base64 after whsec_") from None
    if not 24 <= len(key) <= 64:
        raise UnusableSecret("it does not hold 24 to 64 bytes")
    return key


def _hex_key(secret: str) -> bytes:
    try:
        return bytes.fromhex(secret)
    except ValueError:
        raise UnusableSecret("it is not hexadecimal") from None


def _basic_key(secret: str) -> bytes:
    """Encode ``user:password``, separated by the first colon (RFC 7617)."""
    if not secret.partition(":")[0] or not secret.partition(":")[2]:
        raise UnusableSecret("it does not have the form user:password")
    return base64.b64encode(secret.encode())


def _require_length(secret: str, least: int = MIN_SECRET) -> None:
    if len(secret) < least:
        raise UnusableSecret(f"it has fewer than {least} characters")


def _require_unlike(*prefixes: str) -> Callable[[str], None]:
    """Return a check that the secret does not begin like another secret or id of the sender, and holds no space."""

    def check(secret: str) -> None:
        if secret.startswith(prefixes):
            raise UnusableSecret("it begins like another key or id of the sender, not like a signing secret")
        if any(character.isspace() for character in secret):
            raise UnusableSecret("it contains a space")
        _require_length(secret)

    return check


def _require_token(secret: str) -> None:
    if not HEADER_TEXT.fullmatch(secret):
        raise UnusableSecret("it contains a character that a header cannot hold")
    _require_length(secret, MIN_TOKEN)


def _require_password(secret: str) -> None:
    if ":" in secret and len(secret.partition(":")[2]) < MIN_PASSWORD:
        raise UnusableSecret(f"it has a password of fewer than {MIN_PASSWORD} characters")
    _require_length(secret)


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of the signature header: entries, each a tag and a value. Other tags are ignored."""

    signature: str = ""  # the tag of a signature; if empty, the whole header is the signature
    pair_separator: str = "="
    entry_separator: str | None = None  # None: there is one entry
    timestamp: str | None = None  # the tag of the timestamp, if it is in this header


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way of signing. ``tolerance`` and ``timestamp_unit`` are in seconds."""

    signature_header: str
    layout: Layout
    sign: Callable[[bytes, bytes], bytes]  # returns the expected signature, from the key and the signed bytes
    key: Callable[[str], bytes]  # raises UnusableSecret if the secret does not have the form of the scheme
    check: Callable[[str], None] = _require_length  # raises it if the owner cannot have meant the secret, or it is weak
    signed_prefix: str = ""  # signed before the body; {id} and {timestamp} exactly as sent
    id_header: str | None = None
    timestamp_header: str | None = None
    timestamp_unit: float = 1
    tolerance: float | None = None  # None: deliveries have no timestamp

    def active_key(self, secret: object) -> bytes:
        """Return the key of a stored secret. Raise ``UnusableSecret``, which says why without any part of it."""
        text = clean_value(secret)
        self.check(text)
        return self.key(text)

    @property
    def signs_id(self) -> bool:
        """Return whether the delivery id is signed, and so may identify the event."""
        return "{id}" in self.signed_prefix

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(name for name in (self.signature_header, self.id_header, self.timestamp_header) if name)


SCHEMES: Mapping[str, Scheme] = {
    "standard-webhooks": Scheme(
        signature_header="webhook-signature",
        layout=Layout("v1", pair_separator=",", entry_separator=" "),
        id_header="webhook-id",
        timestamp_header="webhook-timestamp",
        signed_prefix="{id}.{timestamp}.",
        sign=_base64,
        key=_standard_key,
        tolerance=300,
    ),
    "svix": Scheme(
        signature_header="svix-signature",
        layout=Layout("v1", pair_separator=",", entry_separator=" "),
        id_header="svix-id",
        timestamp_header="svix-timestamp",
        signed_prefix="{id}.{timestamp}.",
        sign=_base64,
        key=_standard_key,
        tolerance=300,
    ),
    "stripe": Scheme(
        signature_header="stripe-signature",
        layout=Layout("v1", entry_separator=",", timestamp="t"),
        signed_prefix="{timestamp}.",
        sign=_hex,
        key=_text_key,  # the whole secret, including whsec_, which does not mean base64 here
        check=_require_unlike("sk_", "pk_", "rk_", "we_", "v1,"),  # API keys, and the id of the endpoint
        tolerance=300,
    ),
    "github": Scheme(
        signature_header="x-hub-signature-256",
        layout=Layout("sha256"),
        sign=_hex,
        key=_text_key,
    ),
    "shopify": Scheme(
        signature_header="x-shopify-hmac-sha256",
        layout=Layout(),
        sign=_base64,
        key=_text_key,
    ),
    "paddle": Scheme(
        signature_header="paddle-signature",
        layout=Layout("h1", entry_separator=";", timestamp="ts"),
        signed_prefix="{timestamp}:",
        sign=_hex,
        key=_text_key,
        check=_require_unlike("pdl_live_", "pdl_sdbx_", "ntfset_"),  # API keys, and the id of the destination
        tolerance=5,
    ),
    "workos": Scheme(
        signature_header="workos-signature",
        layout=Layout("v1", entry_separator=", ", timestamp="t"),
        signed_prefix="{timestamp}.",
        sign=_hex,
        key=_text_key,
        check=_require_unlike("sk_", "we_"),  # API keys, and the id of the endpoint
        timestamp_unit=0.001,
        tolerance=180,
    ),
    "close": Scheme(
        signature_header="close-sig-hash",
        layout=Layout(),
        timestamp_header="close-sig-timestamp",
        signed_prefix="{timestamp}",
        sign=_hex,
        key=_hex_key,
        tolerance=300,
    ),
    "bearer": Scheme(
        signature_header="authorization",
        layout=Layout("bearer", pair_separator=" "),
        sign=_unchanged,
        key=_text_key,
        check=_require_token,
    ),
    "basic": Scheme(
        signature_header="authorization",
        layout=Layout("basic", pair_separator=" "),
        sign=_unchanged,
        key=_basic_key,
        check=_require_password,
    ),
}
