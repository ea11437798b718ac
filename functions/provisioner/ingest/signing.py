"""Sign a delivery as its sender would, by the table of schemes that deliveries are verified with. Pure.

The check of a source and the senders of a local stack sign with it. Tests compare both directions with the senders' own
SDKs and published vectors.
"""

from collections.abc import Sequence

from provisioner.ingest.schemes import SCHEMES, Scheme

PREFIXES = {"bearer": "Bearer ", "basic": "Basic "}


def signed_headers(
    scheme: Scheme, keys: Sequence[bytes], body: bytes, *, now: float, delivery_id: str
) -> dict[str, str]:
    """Return the headers of a delivery by that scheme, with one signature for each key. ``now``: Unix seconds."""
    timestamp = str(int(now / scheme.timestamp_unit))
    signed = scheme.signed_prefix.format(id=delivery_id, timestamp=timestamp).encode() + body
    signatures = [scheme.sign(key, signed).decode() for key in keys]
    prefix = next((text for name, text in PREFIXES.items() if SCHEMES[name] is scheme), None)
    headers = {scheme.signature_header: prefix or "", **_further(scheme, timestamp, delivery_id)}
    headers[scheme.signature_header] += _laid_out(scheme, signatures, timestamp, bare=prefix is not None)
    return headers


def _further(scheme: Scheme, timestamp: str, delivery_id: str) -> dict[str, str]:
    further = {scheme.id_header: delivery_id, scheme.timestamp_header: timestamp}
    return {name: value for name, value in further.items() if name}


def _laid_out(scheme: Scheme, signatures: Sequence[str], timestamp: str, *, bare: bool) -> str:
    layout = scheme.layout
    if bare or not layout.signature:
        return signatures[0]
    entries = [f"{layout.signature}{layout.pair_separator}{signature}" for signature in signatures]
    if layout.timestamp:
        entries.insert(0, f"{layout.timestamp}{layout.pair_separator}{timestamp}")
    return (layout.entry_separator or "").join(entries)
