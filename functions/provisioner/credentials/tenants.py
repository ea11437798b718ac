"""The credentials of tenants: one Secrets Manager secret for each, named ``<prefix>/<tenant>``.

A secret holds a plain Close API key, or JSON: ``{"api_key": …}`` or ``{"access_token": …}`` (OAuth), and optionally
``"organization_id"``: the organization that the credential must belong to. White space around a value is ignored.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from provisioner.close.models import Credential
from provisioner.contract.errors import ProblemType, Rejected, Unavailable
from provisioner.credentials.cache import SecretCache, SecretMissing, SecretUnavailable, SecretUnreadable
from provisioner.credentials.secret_text import UnusableSecret, clean_value, parse_text, reason_of

# Characters allowed in an HTTP header. Keys look like api_<id>.<secret>, but Close does not document that.
FOREIGN_PREFIXES = ("whsec_", "sk_", "pk_", "rk_", "pdl_", "v1,")  # of senders of webhooks
SECRET_TEXT = re.compile(r"[\x21-\x7e]{1,4096}")


@dataclass(frozen=True, slots=True)
class Tenants:
    """Credentials by tenant, cached. Safe to share between threads.

    A missing secret is read again each time: once it is stored, the requests that wait for it resume at once.
    """

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
        if ":" in tenant:
            raise Rejected(
                kind=ProblemType.TENANT_NOT_FOUND,
                detail=(
                    f"Tenant {tenant!r} has no credential and cannot have one: the name of a secret must not contain a "
                    "colon. Send the request with another tenant id."
                ),
            )
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
    try:
        return credential_in(text)
    except UnusableSecret as error:
        raise _unreadable(tenant, str(error)) from None


def credential_in(text: str) -> Credential:
    """Return the credential in a secret's text. Raises ``UnusableSecret``, whose message never contains the text."""
    secret = parse_text(text)
    if isinstance(secret, str):
        return _with_key(_value(secret, "it"), None)
    given = [name for name in ("api_key", "access_token") if secret.get(name) is not None]
    if len(given) != 1:
        raise UnusableSecret("it must contain either api_key or access_token")
    organization_id = secret.get("organization_id")
    if organization_id is not None:
        organization_id = _value(organization_id, "its organization_id")
    value = _value(secret[given[0]], f"its {given[0]}")
    if given == ["api_key"]:
        return _with_key(value, organization_id)
    if value.startswith("api_"):
        raise UnusableSecret("its access_token is an API key: store it as api_key")
    return Credential(f"Bearer {value}", value, organization_id)


def _value(value: object, name: str) -> str:
    try:
        text = clean_value(value)
    except UnusableSecret as error:
        raise UnusableSecret(reason_of(name, error)) from None
    if not SECRET_TEXT.fullmatch(text):
        raise UnusableSecret(f"{name} must be 1 to 4096 printable ASCII characters without spaces")
    return text


def _with_key(key: str, organization_id: str | None) -> Credential:
    if ":" in key:
        raise UnusableSecret("the key contains a colon, which separates it from a password")
    if key.startswith(FOREIGN_PREFIXES):
        raise UnusableSecret("the key begins like a secret of another service, not like a key of Close")
    return Credential(f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}", key, organization_id)


def _unreadable(tenant: str, reason: str) -> Rejected:
    return Rejected(
        ProblemType.CREDENTIAL_UNREADABLE,
        f"The credential stored for tenant {tenant!r} cannot be used: {reason}. "
        "Ask the operator of this service to fix the secret.",
    )
