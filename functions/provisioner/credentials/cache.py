"""What secrets in Secrets Manager hold, remembered for a while: one secret for each name, ``<prefix>/<name>``."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

TTL_SECONDS = 300  # a changed secret is noticed within this time, or when what it holds is rejected
JITTER = 0.2  # of that time, so that the functions do not all ask at once
STALE_IF_ERROR_SECONDS = 3600  # how long what is known serves on while Secrets Manager fails


class SecretMissing(Exception):
    """There is no secret of that name."""


class SecretUnreadable(Exception):
    """There is one, and it cannot be used until somebody mends it; the text says why, and shows nothing of it."""


class SecretUnavailable(Exception):
    """Secrets Manager could not be asked. The text says why."""


@dataclass(slots=True)
class _Cached[Held]:
    held: Held
    fetched_at: float
    fresh_until: float


@dataclass(slots=True)
class SecretCache[Held]:
    """Safe to share between threads; ``clock`` gives seconds that only grow.

    ``read`` makes of a name and its secret's text what is remembered; what it raises reaches the caller.
    ``rejected_seconds``, ``missing_seconds``: how long a secret is not asked for again after it was read and then
    rejected, or was not there.
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
        """What the secret holds, read anew if that is what was ``rejected``.

        Raises ``SecretMissing``, ``SecretUnreadable``, and ``SecretUnavailable`` when nothing is known that may serve.
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
        # Secrets Manager takes no colon in a name: what is named with one cannot be there.
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
