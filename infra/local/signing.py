"""Signs a webhook as its sender would, with the secrets as their owner keeps them."""

from collections.abc import Sequence

import infra.functions_path  # noqa: F401
from provisioner.ingest import signing
from provisioner.ingest.schemes import SCHEMES


def signed_headers(name: str, secrets: Sequence[str], body: bytes, *, now: float, delivery_id: str) -> dict[str, str]:
    """Return the headers of a webhook by that scheme, with one signature for each secret. ``now``: Unix seconds."""
    scheme = SCHEMES[name]
    keys = [scheme.key(secret) for secret in secrets]
    return signing.signed_headers(scheme, keys, body, now=now, delivery_id=delivery_id)
