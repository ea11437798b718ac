"""Check a tenant before its first signup: from its secret to its rights at Close. Nothing is written anywhere.

Every check reads the secret itself, never a cache: a rotation is known to have worked only by the key that is stored
now. The key stays in the service.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import httpx

from provisioner.close.client import FIELDS, ROLES, SHARED_FIELDS, CloseApi
from provisioner.close.models import Credential, CustomField, CustomObjectType, Role
from provisioner.close.responses import CloseResponse
from provisioner.close.transport import TYPES, Connection
from provisioner.contract.errors import ProvisioningError
from provisioner.credentials.cache import SecretMissing, SecretUnavailable, SecretUnreadable, read_secret
from provisioner.credentials.secret_text import UnusableSecret
from provisioner.credentials.tenants import credential_in
from provisioner.operate import tenant_findings
from provisioner.operate.checks import Check, Who, failed, is_ready, ok, unknown
from provisioner.operate.tenant_findings import Binding, Me

NEEDED = ("secret", "key", "organization", "types")
"""The checks that must be made and passed before a tenant is ready. Close may hide roles, and its plans always."""
ALL = ("secret", "key", "organization", "user", "permission", "types", "plan", "rate-limit", "clock")
PENDING = "AWSPENDING"


class TenantMemory(Protocol):
    """The memory that the ledger has of tenants. Times are Unix seconds."""

    def binding(self, tenant: str, pinned: str | None) -> Binding: ...

    def paused_until(self, tenant: str, organization_id: str) -> float: ...

    def plan_refusal(self, tenant: str) -> str | None:
        """Return when and for which request Close last said 402, unless a later request of the tenant succeeded."""


class OpenedOrganization(NamedTuple):
    id: str
    name: str


class Report(NamedTuple):
    """The checks of one tenant, in their order."""

    tenant: str
    checks: tuple[Check, ...]
    organization: OpenedOrganization | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "ready": is_ready(self.checks, NEEDED),
            "checks": [each.as_json() for each in self.checks],
            "organization": self.organization and self.organization._asdict(),
        }


@dataclass(frozen=True, slots=True)
class TenantCheck:
    """The check of tenants. ``timeout``: of one call to Close, in seconds; ``clock`` returns Unix seconds."""

    secretsmanager: Any
    prefix: str
    memory: TenantMemory
    http: httpx.Client
    base_url: str
    timeout: float
    clock: Callable[[], float] = time.time

    def check(self, tenant: str, time_left: Callable[[], float], *, pending: bool = False) -> Report:
        """Return the report on the tenant.

        ``pending``: on the key that is staged as AWSPENDING in its secret, before a rotation makes it the current one.
        """
        credential, secret = self._credential(tenant, pending)
        if credential is None:
            return Report(tenant, _completed([secret], "the secret holds no usable key"))
        connection = Connection(
            http=self.http,
            base_url=self.base_url,
            credentials=lambda _: credential,
            timeout=self.timeout,
            time_left=time_left,
            clock=self.clock,
        )
        return self._ask_close(tenant, credential, secret, connection)

    def _credential(self, tenant: str, pending: bool) -> tuple[Credential | None, Check]:
        name = f"{self.prefix}/{tenant}"
        add, rotate = (f"Run close-provisioner tenants {verb} {tenant}." for verb in ("add", "rotate"))
        if ":" in tenant:
            seen = f"The tenant {tenant!r} cannot have a secret, since the name of one contains no colon."
            return None, failed("secret", seen, "Use a tenant id without a colon.", Who.OPERATOR)
        try:
            stored = read_secret(self.secretsmanager, name, **({"VersionStage": PENDING} if pending else {}))
            return credential_in(stored["SecretString"]), ok("secret", f"{name}, {_version(stored)}.")
        except SecretMissing:
            what = f"The secret {name} has no version staged as {PENDING}" if pending else f"No secret {name} exists"
            return None, failed("secret", f"{what}, or it is marked for deletion.", add, Who.OPERATOR)
        except UnusableSecret as error:
            return None, failed("secret", f"The secret {name} cannot be used: {error}.", rotate, Who.OPERATOR)
        except SecretUnreadable as error:
            fix = "Let the functions' roles read it: see TenantSecretPrefix and TenantSecretKeyArn of the stack."
            return None, failed("secret", f"The secret {name} cannot be read: {error}.", fix, Who.OPERATOR)
        except SecretUnavailable as error:
            seen = f"Secrets Manager could not be asked: {error}."
            return None, unknown("secret", seen, "Check it again later.", Who.OPERATOR)

    def _ask_close(self, tenant: str, credential: Credential, secret: Check, connection: Connection) -> Report:
        kind = "API key" if credential.authorization.startswith("Basic ") else "access token"
        me = _read(lambda: connection.get("me/"))
        key = tenant_findings.key(
            me if isinstance(me, ProvisioningError) else None, tenant, f"Close accepts the {kind}."
        )
        if isinstance(me, ProvisioningError):
            return Report(tenant, _completed([secret, key], "Close did not answer this key"))
        answered_at, close, user = self.clock(), CloseApi(connection), Me.of(me.json())
        roles = _read(lambda: list(close.read_list(Role, ROLES).values()))
        opened = _opened(user, roles)
        binding = self.memory.binding(tenant, credential.organization_id)
        found = tenant_findings.organization(opened, binding)
        organization_id = next(iter(opened)) if len(opened) == 1 else ""
        read = _read(lambda: _count(close))
        checks = (
            secret,
            key,
            found,
            tenant_findings.user(user, organization_id, roles),
            tenant_findings.permission(user, organization_id, roles),
            tenant_findings.types(read),
            tenant_findings.plan(
                None if isinstance(read, ProvisioningError) else read[1], self.memory.plan_refusal(tenant)
            ),
            self._rate_limit(tenant, organization_id, me, answered_at),
            tenant_findings.clock(me.headers, answered_at),
        )
        return Report(
            tenant, checks, OpenedOrganization(organization_id, opened[organization_id]) if organization_id else None
        )

    def _rate_limit(self, tenant: str, organization_id: str, me: CloseResponse, now: float) -> Check:
        return tenant_findings.rate_limit(me.headers, self.memory.paused_until(tenant, organization_id) - now)


def _opened(user: Me, roles: list[Role] | ProvisioningError) -> Mapping[str, str]:
    """Return the organization that the key opens: of several of the user, the one whose roles Close shows."""
    if len(user.organizations) < 2 or isinstance(roles, ProvisioningError):
        return user.organizations
    shown = {str(each) for role in roles if (each := role.value("organization_id"))}
    return {each: name for each, name in user.organizations.items() if each in shown} or user.organizations


def _count(close: CloseApi) -> tuple[int, int]:
    types = close.read_list(CustomObjectType, TYPES)
    fields = [*close.read_list(CustomField, FIELDS), *close.read_list(CustomField, SHARED_FIELDS)]
    return len(types), len(fields)


def _read[Found](read: Callable[[], Found]) -> Found | ProvisioningError:
    try:
        return read()
    except ProvisioningError as error:
        return error


def _completed(made: list[Check], reason: str) -> tuple[Check, ...]:
    """Return the checks that were made, and each of the others as unknown."""
    others = ALL[len(made) :]
    return (*made, *(unknown(name, f"Not checked, since {reason}.") for name in others))


def _version(stored: Mapping[str, Any]) -> str:
    moment = stored.get("CreatedDate")
    when = f", stored {moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(moment, datetime) else ""
    return f"version {str(stored.get('VersionId', 'unknown'))[:8]}{when}"
