"""A cache of secrets in Secrets Manager, each named ``<prefix>/<name>``."""

import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

TTL_SECONDS = 300  # a changed secret is noticed within this time, or once its value is rejected
JITTER = 0.2  # of that time, so that the functions do not all read at once
STALE_IF_ERROR_SECONDS = 3600  # how long the last readable value is served while the secret cannot be read
MAX_FAILURES = 1000  # names whose failures are remembered: callers may invent names
MAX_LOCKS = 64

MARKED_FOR_DELETION = re.compile("(marked|scheduled) (for )?delet", re.IGNORECASE)
"""Secrets Manager has one code (InvalidRequestException) for this and for every other state that forbids a call."""


class SecretUnusable(Exception):
    """The base of the reasons why a secret has no value. The message never contains the secret."""


class SecretMissing(SecretUnusable):
    """A secret with this name does not exist, or is marked for deletion."""


class SecretUnreadable(SecretUnusable):
    """The secret exists but the operator must fix it, or the access to it. The message gives the reason."""


class SecretUnavailable(SecretUnusable):
    """Secrets Manager could not be reached, or failed. The message gives the reason."""


class _Cached[Held](NamedTuple):
    held: Held
    fetched_at: float
    fresh_until: float


class _Failure(NamedTuple):
    """The reason why the last read gave no value. It is kept without its traceback, which may hold a secret."""

    kind: type[SecretUnusable]
    reason: str
    until: float


def _ignore(_name: str, _reason: str) -> None:
    """Report to no one."""


@dataclass(slots=True)
class SecretCache[Held]:
    """The cache. Safe to share between threads; ``clock`` returns monotonic seconds.

    ``read`` converts a name and the secret's text to the cached value, and may raise ``SecretUnreadable``; any other
    exception reaches the caller. ``retry_seconds``: the shortest time until a rejected or unusable secret is read
    again. ``report`` gets the name and the reason at each read that finds a secret unreadable.
    """

    secretsmanager: Any
    prefix: str
    clock: Callable[[], float]
    read: Callable[[str, str], Held]
    retry_seconds: float = 0
    report: Callable[[str, str], None] = _ignore
    _cache: dict[str, _Cached[Held]] = field(default_factory=dict, repr=False)
    _failures: dict[str, _Failure] = field(default_factory=dict, repr=False)  # the oldest first
    _failures_lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _locks: tuple[threading.Lock, ...] = field(
        default_factory=lambda: tuple(threading.Lock() for _ in range(MAX_LOCKS)), repr=False
    )

    def get(self, name: str, rejected: Held | None = None) -> Held:
        """Return the value of the secret, read again if the cached one is ``rejected``.

        While the secret cannot be read, return the last readable value for a bounded time. Without one, raise
        ``SecretUnreadable`` or ``SecretUnavailable``. Raise ``SecretMissing`` for a missing secret.
        """
        with self._locks[hash(name) % MAX_LOCKS]:
            cached, now = self._cache.get(name), self.clock()
            if cached and now < cached.fresh_until and not self._is_rejected(cached, rejected, now):
                return cached.held
            failure = self._failures.get(name)
            if failure is None or now >= failure.until:
                failure = self._refresh(name, now)
            if failure is None:
                return self._cache[name].held
            if failure.kind is SecretMissing:
                self._cache.pop(name, None)
            elif cached and cached.held != rejected and now < cached.fetched_at + STALE_IF_ERROR_SECONDS:
                return cached.held
        raise failure.kind(failure.reason)

    def _is_rejected(self, cached: _Cached[Held], rejected: Held | None, now: float) -> bool:
        return cached.held == rejected and now >= cached.fetched_at + self.retry_seconds

    def _refresh(self, name: str, now: float) -> _Failure | None:
        """Read the secret and keep its value. Return the failure if it has none, and remember it."""
        try:
            held = self.read(name, self._fetch(name))
        except SecretUnusable as error:
            failure = _Failure(type(error), str(error), now + self.retry_seconds)
            self._remember(name, failure)
            if isinstance(error, SecretUnreadable):
                self.report(name, str(error))
            return failure
        except Exception:
            self._cache.pop(name, None)
            raise
        self._remember(name, None)
        fresh_seconds = TTL_SECONDS * random.uniform(1 - JITTER, 1)  # noqa: S311
        self._cache[name] = _Cached(held, now, now + fresh_seconds)
        return None

    def _remember(self, name: str, failure: _Failure | None) -> None:
        with self._failures_lock:
            self._failures.pop(name, None)
            if failure and self.retry_seconds:
                self._failures[name] = failure
                if len(self._failures) > MAX_FAILURES:
                    del self._failures[next(iter(self._failures))]

    def _fetch(self, name: str) -> str:
        return str(read_secret(self.secretsmanager, f"{self.prefix}/{name}")["SecretString"])


def read_secret(secretsmanager: Any, secret_id: str, **version: str) -> Mapping[str, Any]:
    """Return the response of Secrets Manager, which holds the secret as a string.

    ``version``: another one than the current one, in the words of the SDK. Raises ``SecretUnusable``.
    """
    try:
        secret: Mapping[str, Any] = secretsmanager.get_secret_value(SecretId=secret_id, **version)
    except ClientError as error:
        raise _failure(error) from None
    except BotoCoreError as error:
        raise SecretUnavailable(type(error).__name__) from None
    if "SecretString" not in secret:
        raise SecretUnreadable("it is binary: store it as a string")
    return secret


def _failure(error: ClientError) -> SecretUnusable:
    code = error.response["Error"]["Code"]
    message = str(error.response["Error"].get("Message", ""))
    # Secrets Manager rejects a name with a character that no name can have (ValidationException).
    if code in {"ResourceNotFoundException", "ValidationException", "InvalidParameterException"}:
        return SecretMissing()
    if code == "InvalidRequestException" and MARKED_FOR_DELETION.search(message):
        return SecretMissing()
    if code in {"InvalidRequestException", "AccessDeniedException", "DecryptionFailure"}:
        return SecretUnreadable(f"Secrets Manager says {code}")
    return SecretUnavailable(code)
