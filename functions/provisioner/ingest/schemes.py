"""How senders sign: a row for each way. signatures.py has the one verifier that reads them. Pure.

A row says which headers there are, how the signature's header is laid out, what stands before the body in what is
signed, how the digest is written, how the key is made of the secret, and how old a signature may be. The facts are the
senders' own: the table of schemes in docs/guides/webhooks.md links to where each one says so.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass


class UnusableSecret(ValueError):
    """A secret is not written as its scheme wants it. The text says how, and shows nothing of it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the signature's header is laid out: entries, each a tag and a value; tags that are not named are ignored."""

    signature: str = ""  # the tag of a signature; without one the whole header is the signature
    assign: str = "="
    between: str | None = None  # None: there is one entry
    timestamp: str | None = None  # the tag of the time, where the header holds it


@dataclass(frozen=True, slots=True)
class Scheme:
    """One row: one way of signing. ``tolerance`` and ``unit`` are in seconds."""

    signature_header: str
    layout: Layout
    proof: Callable[[bytes, bytes], bytes]  # from the key and what is signed to what the header must hold
    key: Callable[[str], bytes]
    signed_prefix: str = ""  # of what is signed; {id} and {timestamp} as they were sent
    id_header: str | None = None
    timestamp_header: str | None = None
    timestamp_unit: float = 1
    tolerance: float | None = None  # None: deliveries bear no time

    @property
    def signs_id(self) -> bool:
        """Whether the id in the header is signed, so that it may name the event."""
        return "{id}" in self.signed_prefix

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(name for name in (self.signature_header, self.id_header, self.timestamp_header) if name)


def _hex(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256).hex().encode()


def _base64(key: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256))


def _itself(key: bytes, _signed: bytes) -> bytes:
    return key


def _text_key(secret: str) -> bytes:
    key = secret.encode()
    if not key.strip():
        raise UnusableSecret("it is empty")
    return key


def _standard_key(secret: str) -> bytes:
    """24 to 64 bytes in base64, after ``whsec_`` (Standard Webhooks, "Signature scheme")."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableSecret("it is no base64 after whsec_") from None
    if not 24 <= len(key) <= 64:
        raise UnusableSecret("it does not hold 24 to 64 bytes")
    return key


def _hex_key(secret: str) -> bytes:
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        key = b""
    if not key:
        raise UnusableSecret("it is not written in hexadecimal digits")
    return key


def _basic_key(secret: str) -> bytes:
    """User and password as a browser would send them: the first colon divides them (RFC 7617)."""
    if not secret.partition(":")[0] or not secret.partition(":")[2]:
        raise UnusableSecret("it is not written as user:password")
    return base64.b64encode(secret.encode())


SCHEMES: Mapping[str, Scheme] = {
    "standard-webhooks": Scheme(
        signature_header="webhook-signature",
        layout=Layout("v1", assign=",", between=" "),
        id_header="webhook-id",
        timestamp_header="webhook-timestamp",
        signed_prefix="{id}.{timestamp}.",
        proof=_base64,
        key=_standard_key,
        tolerance=300,
    ),
    "svix": Scheme(
        signature_header="svix-signature",
        layout=Layout("v1", assign=",", between=" "),
        id_header="svix-id",
        timestamp_header="svix-timestamp",
        signed_prefix="{id}.{timestamp}.",
        proof=_base64,
        key=_standard_key,
        tolerance=300,
    ),
    "stripe": Scheme(
        signature_header="stripe-signature",
        layout=Layout("v1", between=",", timestamp="t"),
        signed_prefix="{timestamp}.",
        proof=_hex,
        key=_text_key,  # the whole secret: its whsec_ is no mark of base64 here
        tolerance=300,
    ),
    "github": Scheme(
        signature_header="x-hub-signature-256",
        layout=Layout("sha256"),
        proof=_hex,
        key=_text_key,
    ),
    "shopify": Scheme(
        signature_header="x-shopify-hmac-sha256",
        layout=Layout(),
        proof=_base64,
        key=_text_key,
    ),
    "paddle": Scheme(
        signature_header="paddle-signature",
        layout=Layout("h1", between=";", timestamp="ts"),
        signed_prefix="{timestamp}:",
        proof=_hex,
        key=_text_key,
        tolerance=5,
    ),
    "workos": Scheme(
        signature_header="workos-signature",
        layout=Layout("v1", between=", ", timestamp="t"),
        signed_prefix="{timestamp}.",
        proof=_hex,
        key=_text_key,
        timestamp_unit=0.001,
        tolerance=180,
    ),
    "close": Scheme(
        signature_header="close-sig-hash",
        layout=Layout(),
        timestamp_header="close-sig-timestamp",
        signed_prefix="{timestamp}",
        proof=_hex,
        key=_hex_key,
        tolerance=300,
    ),
    "bearer": Scheme(
        signature_header="authorization",
        layout=Layout("bearer", assign=" "),
        proof=_itself,
        key=_text_key,
    ),
    "basic": Scheme(
        signature_header="authorization",
        layout=Layout("basic", assign=" "),
        proof=_itself,
        key=_basic_key,
    ),
}
