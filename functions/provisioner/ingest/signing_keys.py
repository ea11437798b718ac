"""The keys that sources sign with. The secret ``<prefix>/<source>`` holds ``{"secrets": ["…", "…"]}``.

Several may be active, so that a sender's secret can be rotated without losing an event.
"""

import json
from collections.abc import Callable
from typing import Any

from provisioner.credentials.cache import SecretCache, SecretUnreadable
from provisioner.ingest.schemes import Scheme, UnusableSecret

MAX_SECRETS = 8  # a rotation needs 2
MIN_REFETCH_SECONDS = 30  # between reads of a secret, however many unsigned deliveries arrive

type Keys = tuple[bytes, ...]


def make_signing_keys_cache(
    secretsmanager: Any, prefix: str, clock: Callable[[], float], scheme_of: Callable[[str], Scheme]
) -> SecretCache[Keys]:
    """Return a cache of the active keys of each source. ``clock`` returns monotonic seconds."""
    return SecretCache(
        secretsmanager,
        prefix,
        clock,
        read=lambda source, text: parse_signing_keys(scheme_of(source), text),
        rejected_seconds=MIN_REFETCH_SECONDS,
        missing_seconds=MIN_REFETCH_SECONDS,
    )


def parse_signing_keys(scheme: Scheme, text: str) -> Keys:
    """Return the keys of a secret. Raise ``SecretUnreadable``, whose message holds no part of the secret."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise SecretUnreadable("it is not valid JSON") from None
    secrets = document.get("secrets") if isinstance(document, dict) else None
    if not isinstance(secrets, list) or not 0 < len(secrets) <= MAX_SECRETS:
        raise SecretUnreadable(f'it must be {{"secrets": […]}} with 1 to {MAX_SECRETS} strings')
    try:
        return tuple(scheme.key(each) if isinstance(each, str) else _not_a_string() for each in secrets)
    except UnusableSecret as error:
        raise SecretUnreadable(f"one of its secrets does not fit the scheme: {error}") from None


def _not_a_string() -> bytes:
    raise UnusableSecret("it is not a string")
