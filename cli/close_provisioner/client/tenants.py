"""Questions and actions about tenants, with typed answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from close_provisioner.client.answers import Answer, Listed
from close_provisioner.client.checks import Check
from close_provisioner.client.requests import Summary
from close_provisioner.client.transport import Question, Transport

ROUTE = "tenants"
LARGEST_PAGE = 100


class Organization(Answer):
    """The organization at Close that a tenant's key opens."""

    id: str
    name: str | None = None

    @property
    def title(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id


class Credential(Answer):
    """The facts about a tenant's credential without its key."""

    kind: str | None = None
    changed_at: str | None = None
    fault: str | None = None


class Tenant(Answer):
    """A tenant, with its last request. ``waiting``: its requests without a result."""

    tenant: str
    organization: Organization | None = None
    credential: Credential | None = None
    pinned: bool | None = None
    paused_until: str | None = None
    last_request: Summary | None = None
    waiting: int = 0


class TypeKey(Answer):
    """One key of a type or of one of its fields: as Close shows it, and as the last request for it has it."""

    key: str
    observed: Any = None
    desired: Any = None
    differs: bool = False


class TenantType(Answer):
    """A type of a tenant's organization. ``id``: None if Close has none; ``request``: the last that asked for it."""

    name: str
    id: str | None = None
    request: str | None = None
    asked_at: str | None = None
    keys: tuple[TypeKey, ...] = ()


class Report(Answer):
    """The checks of one tenant."""

    tenant: str
    ready: bool
    checks: tuple[Check, ...]
    organization: Organization | None = None


class Resumed(Answer):
    """The requests of a tenant that were queued again."""

    resumed: int


class Forgotten(Answer):
    """The memory of a tenant that was erased, and the rest that stays. ``done``: false if there is more to erase."""

    tenant: str
    done: bool
    requests: int = 0
    stays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tenants:
    """The tenants of one stack. No answer contains a key."""

    transport: Transport

    def all(self) -> Iterator[Tenant]:
        """Yield every tenant that has a credential, in the order of their names."""
        cursor: str | None = None
        while True:
            found, cursor = self.page(LARGEST_PAGE, cursor)
            yield from found
            if cursor is None:
                return

    def page(self, limit: int, cursor: str | None = None) -> tuple[list[Tenant], str | None]:
        """Return the tenants of one page, and the cursor of the next."""
        page = Listed.read(self.transport.get(ROUTE, limit=limit, cursor=cursor))
        return [Tenant.read(each) for each in page.data], page.next

    def one(self, tenant: str) -> Tenant:
        """Return a tenant, also one without a credential. Raises ``NotFound``."""
        return Tenant.read(self.transport.get(ROUTE, tenant))

    def types(self, tenant: str) -> list[TenantType]:
        """Return the types of the tenant's organization beside the last requests for them. Nothing is written."""
        return [TenantType.read(each) for each in Listed.read(self.transport.get(ROUTE, tenant, "types")).data]

    def check(self, tenant: str, *, pending: bool = False) -> Report:
        """Check a tenant. Nothing is written. ``pending``: with the key that is staged, not the one in use."""
        body = {"pending": True} if pending else {}
        return Report.read(self.transport.post(ROUTE, tenant, "checks", body=body))

    def resume(self, tenant: str) -> int:
        """Queue the requests that wait for the tenant's credential, and return how many."""
        return Resumed.read(self.transport.post(ROUTE, tenant, "resumptions", body={})).resumed

    def forget(self, tenant: str, reason: str) -> Forgotten:
        """Erase the memory of a tenant without a credential, as far as there is time."""
        question = Question("DELETE", (ROUTE, tenant, "memory"), query={"reason": reason})
        return Forgotten.read(self.transport.ask(question).body)
