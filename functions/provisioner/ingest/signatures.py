"""Verify the signature of a delivery, by the schemes of schemes.py. Pure.

The work depends only on the length of the body and the number of keys. Even if a delivery is malformed, the digest of
every key is made and compared with the same number of candidates.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provisioner.ingest.schemes import Layout, Scheme

MAX_SIGNATURES = 8  # in one header: senders add one for each active secret
MAX_HEADER = 4096  # characters
DUMMY_SIGNATURE = b""
"""Fills the places of missing candidates. It never matches, since no digest or secret is empty."""

TIMESTAMP = re.compile(r"[0-9]{1,13}")
DELIVERY_ID = re.compile(r"[\x21-\x7e]{1,256}")
TAG = re.compile(r"[A-Za-z0-9_-]+")
VALUE = re.compile(r"[A-Za-z0-9+/=]+")  # digits and digests, but never two headers joined into one


@dataclass(frozen=True, slots=True)
class Verified:
    """A delivery signed with an active secret, within the tolerance. ``id``: its id, if the scheme signs it."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery. ``headers``: all values of each, by its name in lower case. ``at``: time of arrival, Unix seconds."""

    headers: Mapping[str, Sequence[str]]
    body: bytes
    at: float


def verify(
    scheme: Scheme, keys: Sequence[bytes], delivery: Delivery, tolerance: float | None = None
) -> Verified | None:
    """Return the verified delivery, or None if no key signed it within the tolerance.

    ``tolerance``: seconds, in place of the tolerance of the scheme.
    """
    claim = _read(scheme, delivery.headers)
    signed = scheme.signed_prefix.format(id=claim.id, timestamp=claim.timestamp).encode() + delivery.body
    matched = False
    for key in keys:
        expected = hashlib.sha256(scheme.sign(key, signed)).digest()
        for candidate in claim.candidates():
            # Hashes are compared, so that the time does not even show the length of a static secret.
            matched |= hmac.compare_digest(expected, hashlib.sha256(candidate).digest())
    is_fresh = _is_fresh(scheme, claim, delivery.at, scheme.tolerance if tolerance is None else tolerance)
    if not (matched and is_fresh and claim.is_well_formed):
        return None
    return Verified(claim.id if scheme.signs_id else None)


@dataclass(frozen=True, slots=True)
class _Claim:
    """The claim of the headers. ``is_well_formed``: none is missing, malformed or repeated."""

    signatures: tuple[bytes, ...] = ()
    timestamp: str = "0"
    id: str = "-"
    is_well_formed: bool = False

    def candidates(self) -> tuple[bytes, ...]:
        return (*self.signatures, *(DUMMY_SIGNATURE,) * (MAX_SIGNATURES - len(self.signatures)))


def _read(scheme: Scheme, headers: Mapping[str, Sequence[str]]) -> _Claim:
    """Return the claim. A repeated header is malformed, since two readers could choose different values."""
    if any(len(headers.get(name, ())) != 1 or len(headers[name][0]) > MAX_HEADER for name in scheme.headers):
        return _Claim()
    tagged = _entries(scheme.layout, headers[scheme.signature_header][0])
    signatures = tuple(value.encode("utf-8", "surrogatepass") for value in tagged.get(scheme.layout.signature, ()))
    times = _times(scheme, headers, tagged)
    delivery_id = headers[scheme.id_header][0] if scheme.id_header else "-"
    if (
        not 0 < len(signatures) <= MAX_SIGNATURES
        or len(times) != 1
        or not TIMESTAMP.fullmatch(times[0])
        or not DELIVERY_ID.fullmatch(delivery_id)
    ):
        return _Claim()
    return _Claim(signatures, times[0], delivery_id, is_well_formed=True)


def _entries(layout: Layout, header: str) -> Mapping[str, Sequence[str]]:
    """Return the values of the header by tag, or none if any entry is malformed."""
    if not layout.signature:
        return {"": [header]}
    tagged: dict[str, list[str]] = {}
    for entry in header.split(layout.entry_separator) if layout.entry_separator else [header]:
        tag, *values = entry.split(
            layout.pair_separator, -1 if layout.pair_separator != "=" else 1
        )  # digests may end in "="
        if len(values) != 1 or not values[0] or not TAG.fullmatch(tag):
            return {}
        if layout.entry_separator and not VALUE.fullmatch(values[0]):
            return {}
        # The names of authentication schemes are case-insensitive (RFC 9110, 11.1).
        tagged.setdefault(tag.lower() if layout.pair_separator == " " else tag, []).append(values[0])
    return tagged


def _times(scheme: Scheme, headers: Mapping[str, Sequence[str]], tagged: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if scheme.timestamp_header:
        return headers[scheme.timestamp_header]
    return tagged.get(scheme.layout.timestamp, ()) if scheme.layout.timestamp else ("0",)


def _is_fresh(scheme: Scheme, claim: _Claim, now: float, tolerance: float | None) -> bool:
    if scheme.tolerance is None or tolerance is None:
        return True
    return abs(now - int(claim.timestamp) * scheme.timestamp_unit) <= tolerance
