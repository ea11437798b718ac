"""The credentials of tenants: one Secrets Manager secret for each, named ``<prefix>/<tenant>``.

A secret holds a plain Close API key, or JSON: ``{"api_key": …}`` or ``{"access_token": …}`` (OAuth), and optionally
``"organization_id"``: the organization that the credential must belong to.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from provisioner.close.models import Credential
from provisioner.contract.errors import ProblemType, Rejected, Unavailable
from provisioner.credentials.cache import SecretCache, SecretMissing, SecretUnavailable, SecretUnreadable

# Characters allowed in an HTTP header. Keys look like api_<id>.<secret>, but Close does not document that.
SECRET_TEXT = re.compile(r"[\x21-\x7e]{1,4096}")


@dataclass(frozen=True, slots=True)
class Tenants:
    """Credentials by tenant, cached. Safe to share between threads."""

    cache: SecretCache[Credential]

    @classmethod
    def of(cls, secretsmanager: Any, prefix: str, clock: Callable[[], float]) -> Self:
        """Return the credentials below this prefix. ``clock`` returns monotonic seconds."""
        return cls(SecretCache(secretsmanager, prefix, clock, parse_secret))

    def credential(self, tenant: str, rejected: Credential | None = None) -> Credential:
        """Return the tenant's credential, read again if the cached one is ``rejected``.

        Raises ``Rejected`` when the tenant has no secret or an unreadable one, ``Unavailable`` when Secrets Manager
        fails and no usable credential is cached.
        """
        try:
            return self.cache.get(tenant, rejected)
        except SecretMissing:
            raise Rejected(
                ProblemType.TENANT_NOT_FOUND,
                f"Tenant {tenant!r} has no credential. Ask the operator of this service to store one.",
            ) from None
        except SecretUnreadable as error:
            raise _unreadable(tenant, str(error)) from None
        except SecretUnavailable as error:
            raise Unavailable(f"the tenant's credential could not be read: {error}") from None


def parse_secret(tenant: str, text: str) -> Credential:
    """Return the credential in a secret's text. Raises ``Rejected``, whose message never contains the text."""
    text = text.strip()
    organization_id = None
    api_key: object = text
    access_token: object = None
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except ValueError:
            raise _unreadable(tenant, "it starts with { but is not valid JSON") from None
        api_key, access_token = document.get("api_key"), document.get("access_token")
        organization_id = document.get("organization_id")
        if (api_key is None) == (access_token is None):
            raise _unreadable(tenant, "it must contain either api_key or access_token")
        if not (organization_id is None or (isinstance(organization_id, str) and organization_id)):
            raise _unreadable(tenant, "its organization_id must be a non-empty string")
    secret = access_token if api_key is None else api_key
    if not isinstance(secret, str) or not SECRET_TEXT.fullmatch(secret):
        raise _unreadable(tenant, "its key must be 1 to 4096 printable ASCII characters without spaces")
    if access_token is not None:
        return Credential(f"Bearer {secret}", secret, organization_id)
    basic = base64.b64encode(f"{secret}:".encode()).decode()
    return Credential(f"Basic {basic}", secret, organization_id)


def _unreadable(tenant: str, reason: str) -> Rejected:
    return Rejected(
        ProblemType.CREDENTIAL_UNREADABLE,
        f"The credential stored for tenant {tenant!r} cannot be used: {reason}. "
        "Ask the operator of this service to fix the secret.",
    )
