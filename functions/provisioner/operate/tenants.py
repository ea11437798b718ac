"""The tenants: those with a credential, what the ledger knows of each, and how to forget one."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.outcome import Result
from provisioner.contract.request import IDENTIFIER_PATTERN
from provisioner.credentials.cache import SecretMissing, SecretUnusable, read_secret
from provisioner.credentials.inventory import Inventory, ListedSecret, UnknownToken
from provisioner.credentials.secret_text import UnusableSecret
from provisioner.credentials.tenants import credential_in
from provisioner.ledger.in_doubt import IN_DOUBT_RETENTION_SECONDS
from provisioner.ledger.models import TenantRecord
from provisioner.ledger.request_lists import ListedRequest, RequestLists, Span
from provisioner.ledger.tenant_items import TenantItems
from provisioner.operate.action_body import action_body, flag_in, reason_in
from provisioner.operate.audit import Audit
from provisioner.operate.call import Answer, Call, only_known, reject_parameter, single
from provisioner.operate.recent_requests import RecentRequests
from provisioner.operate.request_pages import rfc3339, state_of, summary
from provisioner.operate.tenant_check import Report, TenantCheck
from provisioner.operate.tenant_findings import Binding

DEFAULT_LIMIT, MAX_LIMIT = 50, 100
MAX_OTHERS = 200  # tenants that are compared by their organization
MAX_REFUSED = 50  # requests among which a 402 is looked for
MARGIN_SECONDS = 5
AHEAD_SECONDS = 300  # of a function's clock, at most
STAYS = (
    "the types and shared fields of its organization (names, ids in Close): that keeps each from being created twice",
    "the id of its organization, for 15 days: a request that was under way creates in no other one",
    "the events of senders that became its requests (hashes) and those that were rejected, until they expire",
    "the record of what operators did about it, for 400 days",
    "logs, traces and backups, until they expire (docs/guides/erase-a-tenant.md)",
)


class Memory(NamedTuple):
    """The memory that the ledger has of tenants, for their checks. ``clock`` returns Unix seconds."""

    items: TenantItems
    lists: RequestLists
    inventory: Inventory
    clock: Callable[[], float]

    def binding(self, tenant: str, pinned: str | None) -> Binding:
        others = (each.name for each in self.inventory.first(MAX_OTHERS) if each.name != tenant)
        return Binding(tenant, pinned, self.items.of(tenant).organization, self.items.organizations(others))

    def paused_until(self, tenant: str, organization_id: str) -> float:
        known = self.items.of(tenant).paused_until
        return max(known, self.items.ledger.paused_until(organization_id)) if organization_id else known

    def plan_refusal(self, tenant: str) -> str | None:
        for number, each in enumerate(self.lists.of_tenant(tenant, Span(0, self.clock()), MAX_REFUSED)):
            if number == MAX_REFUSED or each.result not in {None, "failed", "unresolved"}:
                return None
            if each.problem == ProblemType.PLAN_LIMIT.value[0]:
                return f"request {each.request_id} at {rfc3339(each.settled_at)}"
        return None


class Tenants(NamedTuple):
    """The tenants, by what the ledger and Secrets Manager hold of them.

    ``resume_waiting`` queues the requests that wait for a tenant's credential, and returns their ids.
    """

    memory: Memory
    checks: TenantCheck
    audit: Audit
    resume_waiting: Callable[[str], list[str]]
    recent: RecentRequests

    def page(self, call: Call) -> Answer:
        """Return the tenants that have a credential, in the order of their names. No credential is read."""
        only_known(call.query, ("limit", "cursor"))
        try:
            listed, token = self.memory.inventory.page(
                _limit(single(call.query, "limit")), single(call.query, "cursor")
            )
        except UnknownToken:
            reject_parameter("cursor", "must be the value of next of the page before")
        tenants = [each for each in listed if re.fullmatch(IDENTIFIER_PATTERN, each.name)]
        waiting = self._waiting(call)
        return {"data": [self._shown(each.name, each, waiting) for each in tenants], "next": token}

    def one(self, call: Call) -> Answer:
        """Return a tenant, also one that only the ledger knows. Its credential is read, and its kind is shown."""
        tenant = call.path["tenant"]
        credential = self._credential(tenant)
        shown = self._shown(tenant, None, self._waiting(call))
        if credential is None and shown["organization"] is None and shown["last_request"] is None:
            raise Rejected(kind=ProblemType.TENANT_NOT_FOUND, detail=f"No tenant {tenant!r} is known.")
        pinned = credential.pop("organization_id") if credential else None
        return {**shown, "credential": credential, "pinned": None if credential is None else pinned is not None}

    def check(self, call: Call) -> Answer:
        """Check a tenant (tenant_check.py). With ``pending``: the key that is staged for a rotation."""
        return self._report(call).as_json()

    def _report(self, call: Call) -> Report:
        body = action_body(call, "pending")
        return self.checks.check(call.path["tenant"], call.time_left, pending=flag_in(body, "pending", default=False))

    def resume(self, call: Call) -> Answer:
        """Queue the requests that wait for the tenant's credential, which was stored just now.

        CloudTrail's events do the same where a trail is on. Doing it twice is safe: one without a credential waits on.
        """
        tenant = call.path["tenant"]
        with self.audit.recorded(call, "resume tenant", tenant, reason_in(action_body(call))) as action:
            resumed = self.resume_waiting(tenant)
            action.result = f"{len(resumed)} requests queued"
        return {"tenant": tenant, "resumed": len(resumed)}

    def forget(self, call: Call) -> Answer:
        """Delete what the ledger holds about a tenant that has no credential any more, as far as there is time.

        Raises ``Rejected`` while it has one, or while a request of it is not announced.
        """
        tenant = call.path["tenant"]
        reason = reason_in({"reason": single(call.query, "reason")})
        self._require_forgettable(tenant)
        with self.audit.recorded(call, "forget tenant", tenant, reason) as action:
            deleted = 0
            for each in self._requests(tenant):
                if call.time_left() < MARGIN_SECONDS:
                    action.result = f"{deleted} requests deleted, more are left"
                    return {"tenant": tenant, "done": False, "requests": deleted, "stays": list(STAYS)}
                if not self.memory.items.forget_request(each.id):
                    _forbid(f"Request {each.request_id!r} of the tenant is not announced. Wait for its outcome.")
                deleted += 1
            if not self.memory.items.forget_tenant(tenant):
                _forbid("A request of the tenant began meanwhile. Wait for its outcome.")
            action.result = f"{deleted} requests deleted, and the tenant's record"
        return {"tenant": tenant, "done": True, "requests": deleted, "stays": list(STAYS)}

    def _require_forgettable(self, tenant: str) -> None:
        try:
            read_secret(self.memory.inventory.secretsmanager, f"{self.memory.inventory.prefix}/{tenant}")
        except SecretMissing:
            pass
        except SecretUnusable as error:
            raise Rejected(ProblemType.UNAVAILABLE, f"Whether it has a credential is not known: {error}.") from None
        else:
            _forbid(
                f"Tenant {tenant!r} has a credential. Delete it first (close-provisioner tenants remove {tenant}): "
                "while it is there, requests may come, and need what is remembered."
            )
        unfinished, a_day_ago = self.memory.lists.unfinished(), self.memory.clock() - IN_DOUBT_RETENTION_SECONDS
        for each in self._requests(tenant):
            if each.id in unfinished:
                _forbid(f"Request {each.request_id!r} of the tenant is not announced. Wait for its outcome.")
            if each.result == Result.UNRESOLVED and (each.settled_at or 0) > a_day_ago:
                _forbid(
                    f"Request {each.request_id!r} of the tenant is unresolved since {rfc3339(each.settled_at)}. All "
                    "that it asked for keeps a renamed type from being created twice. Wait a day from then."
                )

    def _requests(self, tenant: str) -> Iterator[ListedRequest]:
        """Yield its requests, also those of functions whose clocks are ahead."""
        return self.memory.lists.of_tenant(tenant, Span(0, self.memory.clock() + AHEAD_SECONDS), 100)

    # --- what is shown

    def _waiting(self, call: Call) -> Mapping[str, int]:
        """Return how many requests of each tenant have no result yet."""
        seen = self.recent.read(self.memory.clock(), call.time_left)
        return Counter(each.tenant for each in seen.waiting if each.result is None)

    def _shown(self, tenant: str, secret: ListedSecret | None, waiting: Mapping[str, int]) -> dict[str, Any]:
        record = self.memory.items.of(tenant)
        last = next(self.memory.lists.of_tenant(tenant, Span(0, self.memory.clock()), 1), None)
        return {
            "tenant": tenant,
            "organization": _organization(record),
            "credential": secret and {"changed_at": _moment(secret.changed_at)},
            "pinned": None,
            "paused_until": rfc3339(record.paused_until) if record.paused_until > self.memory.clock() else None,
            "last_request": last and _last(last),
            "waiting": waiting.get(tenant, 0),
        }

    def _credential(self, tenant: str) -> dict[str, Any] | None:
        if ":" in tenant:
            return None
        try:
            stored = read_secret(self.memory.inventory.secretsmanager, f"{self.memory.inventory.prefix}/{tenant}")
        except SecretMissing:
            return None
        except SecretUnusable as error:
            return {"kind": None, "changed_at": None, "fault": str(error), "organization_id": None}
        shown = {"changed_at": _moment(stored.get("CreatedDate"))}
        try:
            credential = credential_in(stored["SecretString"])
        except UnusableSecret as error:
            return {"kind": None, **shown, "fault": str(error), "organization_id": None}
        kind = "api_key" if credential.authorization.startswith("Basic ") else "access_token"
        return {"kind": kind, **shown, "organization_id": credential.organization_id}


def _organization(record: TenantRecord) -> dict[str, Any] | None:
    return {"id": record.organization} if record.organization else None


def _last(request: ListedRequest) -> dict[str, Any]:
    """Return the last request. Whether its outcome is announced does not matter here."""
    return summary(request, state_of(request, set()))


def _moment(moment: datetime | None) -> str | None:
    return rfc3339(moment.timestamp()) if moment else None


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch("[1-9][0-9]{0,2}", text) or int(text) > MAX_LIMIT:
        reject_parameter("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _forbid(detail: str) -> NoReturn:
    raise Rejected(ProblemType.WRONG_STATE, detail)
