"""Tenants: one Secrets Manager secret for each, named ``<prefix>/<tenant>``.

A secret holds a plain Close API key, or JSON: ``{"api_key": …}`` or ``{"access_token": …}`` (OAuth), and optionally
``"organization_id"``, which pins the organisation that the credential must belong to.
"""

import base64
import json
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.contract import Credential
from provisioner.errors import Kind, NotCreated, Refused

FRESH_SECONDS = 300  # a rotated key is noticed within this time, or at the first 401
JITTER = 0.2  # of that time, so that the functions do not all ask at once
STALE_SECONDS = 3600  # how long a known credential serves on while Secrets Manager fails

# What may stand in an HTTP header; keys look like api_<id>.<secret>, but that is nowhere promised.
SECRET_TEXT = re.compile(r"[\x21-\x7e]{1,4096}")


@dataclass(slots=True)
class _Cached:
    credential: Credential
    fetched_at: float
    fresh_until: float


@dataclass(slots=True)
class Tenants:
    """Credentials by tenant, cached. Safe to share between threads; ``clock`` gives seconds that only grow."""

    secretsmanager: Any
    prefix: str
    clock: Callable[[], float]
    _cache: dict[str, _Cached] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)

    def credential(self, tenant: str, rejected: Credential | None = None) -> Credential:
        """The tenant's credential, read anew if it is the ``rejected`` one.

        Raises ``Refused`` when there is no such tenant or its secret is unreadable, ``NotCreated`` when Secrets
        Manager fails and nothing is cached that may still serve.
        """
        with self._locks.setdefault(tenant, threading.Lock()):
            cached = self._cache.get(tenant)
            now = self.clock()
            if cached and cached.credential != rejected and now < cached.fresh_until:
                return cached.credential
            try:
                credential = self._fetch(tenant)
            except NotCreated:
                if cached and cached.credential != rejected and now < cached.fetched_at + STALE_SECONDS:
                    return cached.credential
                raise
            except Refused:
                self._cache.pop(tenant, None)
                raise
            fresh_seconds = FRESH_SECONDS * random.uniform(1 - JITTER, 1)  # noqa: S311
            self._cache[tenant] = _Cached(credential, now, now + fresh_seconds)
            return credential

    def _fetch(self, tenant: str) -> Credential:
        # Secrets Manager takes no colon in a name: a tenant that has one cannot be there.
        try:
            secret = self.secretsmanager.get_secret_value(SecretId=f"{self.prefix}/{tenant}")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in {"ResourceNotFoundException", "ValidationException", "InvalidParameterException"}:
                raise Refused(Kind.TENANT_UNKNOWN, f"There is no tenant {tenant!r} here.") from None
            if code in {"InvalidRequestException", "AccessDeniedException", "DecryptionFailure"}:
                raise _unreadable(tenant, f"Secrets Manager says {code}") from None
            raise NotCreated(f"the tenant's credential could not be read: {code}") from None
        except BotoCoreError as error:
            raise NotCreated(f"the tenant's credential could not be read: {type(error).__name__}") from None
        return read_secret(tenant, secret.get("SecretString", ""))


def read_secret(tenant: str, text: str) -> Credential:
    """The credential that a secret's text holds. Raises ``Refused``; the text itself appears in no message."""
    text = text.strip()
    organization_id = None
    api_key: object = text
    access_token: object = None
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except ValueError:
            raise _unreadable(tenant, "it begins like JSON, and is none") from None
        api_key, access_token = document.get("api_key"), document.get("access_token")
        organization_id = document.get("organization_id")
        if (api_key is None) == (access_token is None):
            raise _unreadable(tenant, "it must hold one of api_key and access_token")
        if not (organization_id is None or (isinstance(organization_id, str) and organization_id)):
            raise _unreadable(tenant, "its organization_id must be a text")
    secret = access_token if api_key is None else api_key
    if not isinstance(secret, str) or not SECRET_TEXT.fullmatch(secret):
        raise _unreadable(tenant, "it holds no key that could be sent in a header")
    if access_token is not None:
        return Credential(f"Bearer {secret}", secret, organization_id)
    basic = base64.b64encode(f"{secret}:".encode()).decode()
    return Credential(f"Basic {basic}", secret, organization_id)


def _unreadable(tenant: str, why: str) -> Refused:
    return Refused(
        Kind.CREDENTIAL_UNREADABLE,
        f"The credential stored for tenant {tenant!r} cannot be used: {why}. "
        "Whoever keeps this service's secrets can mend it.",
    )
