"""The keys that sources sign with: the secret ``<prefix>/<source>`` holds ``{"secrets": ["…", "…"]}``.

Several are active at once, so that a sender's secret can be rotated without losing an event.
"""

import json
from collections.abc import Callable
from typing import Any

from provisioner.credentials.cache import SecretCache, SecretUnreadable
from provisioner.ingest.schemes import Scheme, UnusableSecret

MAX_SECRETS = 8  # a rotation needs two
MIN_REFETCH_SECONDS = 30  # what strangers send causes one look at a secret in this time, and no more

type Keys = tuple[bytes, ...]


def make_signing_keys_cache(
    secretsmanager: Any, prefix: str, clock: Callable[[], float], scheme_of: Callable[[str], Scheme]
) -> SecretCache[Keys]:
    """The active keys of each source, cached. ``clock`` gives seconds that only grow."""
    return SecretCache(
        secretsmanager,
        prefix,
        clock,
        read=lambda source, text: parse_signing_keys(scheme_of(source), text),
        rejected_seconds=MIN_REFETCH_SECONDS,
        missing_seconds=MIN_REFETCH_SECONDS,
    )


def parse_signing_keys(scheme: Scheme, text: str) -> Keys:
    """The keys that a secret's text holds. Raises ``SecretUnreadable``; nothing of the text appears in it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise SecretUnreadable("it is no JSON") from None
    secrets = document.get("secrets") if isinstance(document, dict) else None
    if not isinstance(secrets, list) or not 0 < len(secrets) <= MAX_SECRETS:
        raise SecretUnreadable(f'it must hold {{"secrets": […]}}, with one to {MAX_SECRETS} of them')
    try:
        return tuple(scheme.key(each) if isinstance(each, str) else _no_text() for each in secrets)
    except UnusableSecret as error:
        raise SecretUnreadable(f"one of its secrets is not as its scheme wants it: {error}") from None


def _no_text() -> bytes:
    raise UnusableSecret("it is no text")
