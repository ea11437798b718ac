"""The keys that sources sign with. The secret ``<prefix>/<source>`` holds ``{"secrets": ["…", "…"]}``.

Several may be active, so that a sender's secret can be rotated without losing an event. An unusable entry is reported,
and the others stay active.
"""

from collections.abc import Callable
from typing import Any

from provisioner.credentials.cache import SecretCache, SecretUnreadable
from provisioner.credentials.secret_text import UnusableSecret, parse_text, reason_of
from provisioner.ingest.schemes import Scheme

MAX_SECRETS = 8  # a rotation needs 2
MIN_REFETCH_SECONDS = 30  # between reads of a secret, however many unsigned deliveries arrive

type Keys = tuple[bytes, ...]
type Report = Callable[[str, str], None]
"""Takes the name of a source and the reason why its secret, or an entry of it, is unusable."""


def make_signing_keys_cache(
    secretsmanager: Any, prefix: str, clock: Callable[[], float], scheme_of: Callable[[str], Scheme], report: Report
) -> SecretCache[Keys]:
    """Return a cache of the active keys of each source. ``clock`` returns monotonic seconds."""

    def read(source: str, text: str) -> Keys:
        keys, reasons = parse_signing_keys(scheme_of(source), text)
        for reason in reasons:
            report(source, reason)
        return keys

    return SecretCache(secretsmanager, prefix, clock, read, retry_seconds=MIN_REFETCH_SECONDS, report=report)


def parse_signing_keys(scheme: Scheme, text: str) -> tuple[Keys, list[str]]:
    """Return the keys of a secret, and why its other entries are unusable.

    Raise ``SecretUnreadable`` if no entry is usable. No message contains any part of the secret.
    """
    try:
        document = parse_text(text)
    except UnusableSecret as error:
        raise SecretUnreadable(str(error)) from None
    secrets = document.get("secrets") if isinstance(document, dict) else None
    if not isinstance(secrets, list) or not 0 < len(secrets) <= MAX_SECRETS:
        raise SecretUnreadable(f'it must be {{"secrets": […]}} with 1 to {MAX_SECRETS} strings')
    keys, reasons = [], []
    for index, secret in enumerate(secrets):
        try:
            keys.append(scheme.active_key(secret))
        except UnusableSecret as error:
            reasons.append(reason_of(f"secrets[{index}]", error))
    if not keys:
        raise SecretUnreadable("; ".join(reasons))
    return tuple(keys), reasons
