"""A cache of secrets in Secrets Manager, each named ``<prefix>/<name>``."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

TTL_SECONDS = 300  # a changed secret is noticed within this time, or once its value is rejected
JITTER = 0.2  # of that time, so that the functions do not all read at once
STALE_IF_ERROR_SECONDS = 3600  # how long a cached value is served while Secrets Manager fails


class SecretMissing(Exception):
    """A secret with this name does not exist."""


class SecretUnreadable(Exception):
    """The secret exists but the operator must fix it. The message gives the reason, never the secret."""


class SecretUnavailable(Exception):
    """Secrets Manager could not be reached, or failed. The message gives the reason."""


@dataclass(slots=True)
class _Cached[Held]:
    held: Held
    fetched_at: float
    fresh_until: float


@dataclass(slots=True)
class SecretCache[Held]:
    """The cache. Safe to share between threads; ``clock`` returns monotonic seconds.

    ``read`` converts a name and the secret's text to the cached value. Its exceptions reach the caller.
    ``rejected_seconds`` and ``missing_seconds``: the shortest time until a rejected or missing secret is read again.
    """

    secretsmanager: Any
    prefix: str
    clock: Callable[[], float]
    read: Callable[[str, str], Held]
    rejected_seconds: float = 0
    missing_seconds: float = 0
    _missing_until: dict[str, float] = field(default_factory=dict, repr=False)
    _cache: dict[str, _Cached[Held]] = field(default_factory=dict, repr=False)
    _locks: dict[str, threading.Lock] = field(default_factory=dict, repr=False)

    def get(self, name: str, rejected: Held | None = None) -> Held:
        """Return the value of the secret, read again if the cached one is ``rejected``.

        Raises ``SecretMissing`` or ``SecretUnreadable``; ``SecretUnavailable`` without a usable cached value.
        """
        with self._locks.setdefault(name, threading.Lock()):
            cached = self._cache.get(name)
            now = self.clock()
            if cached and now < cached.fresh_until and not self._is_rejected(cached, rejected, now):
                return cached.held
            if now < self._missing_until.get(name, 0):
                raise SecretMissing
            try:
                held = self.read(name, self._fetch(name))
            except SecretUnavailable:
                if cached and cached.held != rejected and now < cached.fetched_at + STALE_IF_ERROR_SECONDS:
                    return cached.held
                raise
            except Exception as error:
                self._cache.pop(name, None)
                if self.missing_seconds and isinstance(error, SecretMissing):
                    self._missing_until[name] = now + self.missing_seconds
                raise
            fresh_seconds = TTL_SECONDS * random.uniform(1 - JITTER, 1)  # noqa: S311
            self._cache[name] = _Cached(held, now, now + fresh_seconds)
            return held

    def _is_rejected(self, cached: _Cached[Held], rejected: Held | None, now: float) -> bool:
        return cached.held == rejected and now >= cached.fetched_at + self.rejected_seconds

    def _fetch(self, name: str) -> str:
        # Secrets Manager allows no colon in a name, so a secret with one cannot exist (ValidationException).
        try:
            secret = self.secretsmanager.get_secret_value(SecretId=f"{self.prefix}/{name}")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in {"ResourceNotFoundException", "ValidationException", "InvalidParameterException"}:
                raise SecretMissing from None
            if code in {"InvalidRequestException", "AccessDeniedException", "DecryptionFailure"}:
                raise SecretUnreadable(f"Secrets Manager says {code}") from None
            raise SecretUnavailable(code) from None
        except BotoCoreError as error:
            raise SecretUnavailable(type(error).__name__) from None
        return str(secret.get("SecretString", ""))
