"""In-memory stand-ins for the ledger, the topic and the clock, with the conditions of the real ones.

Tests check what they hold, never how they were called. tests/integration/service/test_ledger.py holds MemoryLedger
and the real ledger to the same guarantees.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from provisioner.close.models import CustomField, CustomObjectType, Role
from provisioner.contract.errors import OutcomeUnknown, ProblemType, Rejected, RetryLater
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.models import InDoubt, Lease, RequestRecord, RequestState, ResourceKey, ResourceRecord
from provisioner.reconcile.plan import resources_to_lock
from provisioner.reconcile.ports import Organization
from provisioner.reconcile.provisioner import Job, Provisioner
from provisioner.reconcile.retries import Deferred

START = 1_800_000_000.0


@dataclass
class Clock:
    """A clock that stands still until a test advances it."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def a_request(request_id: str = "signup-8841", name: str = "Account", **further: Any) -> ProvisioningRequest:
    """``further``: other keys of the request, or ``spec`` for further keys of its type."""
    spec = {"name": name, "name_plural": f"{name}s", **further.pop("spec", {})}
    return ProvisioningRequest.model_validate(
        {"tenant": "acme", "request_id": request_id, "custom_object_type": spec, **further}
    )


@dataclass
class MemoryLedger:
    """A ledger in memory."""

    clock: Clock
    lease_seconds: float = 90
    requests: dict[str, tuple[RequestRecord, ProvisioningRequest]] = field(default_factory=dict)
    resources: dict[ResourceKey, ResourceRecord] = field(default_factory=dict)
    intents: dict[ResourceKey, tuple[str, ...]] = field(default_factory=dict)
    leased_until: dict[ResourceKey, float] = field(default_factory=dict)
    released: dict[ResourceKey, int] = field(default_factory=dict)
    pauses: dict[str, float] = field(default_factory=dict)

    def accept(self, request: ProvisioningRequest, expected_after: float = 420) -> RequestRecord:
        if request.id in self.requests:
            record, known = self.requests[request.id]
            if known.fingerprint != request.fingerprint:
                raise Rejected(ProblemType.REQUEST_CONFLICT, "used before")
            return record
        record = RequestRecord(request.id, request.tenant, request.request_id, RequestState.ACCEPTED, self.clock())
        self.requests[request.id] = record, request
        return replace(record, fresh=True)

    def find(self, request_key: str) -> tuple[RequestRecord, ProvisioningRequest] | None:
        return self.requests.get(request_key)

    def lease(self, record: RequestRecord, resource: ResourceKey) -> Lease:
        until = self.leased_until.get(resource, 0)
        if until >= self.clock():
            raise RetryLater("leased", min(until - self.clock(), 2))
        known = self.resources.get(resource, ResourceRecord(resource))
        orphaned = self.intents.get(resource, ())
        since = until or (known.orphaned.since if known.orphaned else 0)
        leased = replace(
            known, fencing_token=known.fencing_token + 1, orphaned=InDoubt(since, orphaned) if orphaned else None
        )
        self.resources[resource], self.leased_until[resource] = leased, self.clock() + self.lease_seconds
        self.intents[resource] = (*orphaned, record.id)
        return Lease(leased)

    def read(self, resource: ResourceKey) -> ResourceRecord:
        known, intents = self.resources.get(resource, ResourceRecord(resource)), self.intents.get(resource, ())
        since = self.leased_until.get(resource) or (known.orphaned.since if known.orphaned else 0)
        return replace(known, orphaned=InDoubt(since, intents) if intents else None)

    def stored_outcome(self, record: RequestRecord) -> Outcome | None:
        return self.requests[record.id][0].outcome

    def release(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            if self.released.get(lease.resource) != lease.fencing_token:
                self._require(lease)
                del self.leased_until[lease.resource]
                self.resources[lease.resource], self.released[lease.resource] = lease.record, lease.fencing_token
                self.intents[lease.resource] = lease.record.orphaned.requests if lease.record.orphaned else ()

    def settle(
        self,
        record: RequestRecord,
        outcome: Outcome,
        release: Sequence[Lease] = (),
        unchanged: Iterable[ResourceRecord] = (),
    ) -> Outcome:
        stored, request = self.requests[record.id]
        if stored.outcome is None:
            for lease in release:
                self._require(lease)
            if any(self.read(each.resource).fencing_token != each.fencing_token for each in unchanged):
                raise RetryLater("another run has the lease, or had it in the meantime", 2)
        self.release(release)
        if stored.outcome:
            return stored.outcome
        self.requests[record.id] = replace(stored, outcome=outcome, state=RequestState.SETTLED), request
        return outcome

    def paused_until(self, tenant: str) -> float:
        return self.pauses.get(tenant, 0)

    def pause(self, tenant: str, until: float) -> None:
        self.pauses[tenant] = max(until, self.paused_until(tenant))

    def record_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        deferrals = self.requests[record.id][0].deferrals + 1
        self._change(record, deferrals=deferrals, pending_reason=reason)
        return deferrals

    def record_tenant_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        self._change(record, tenant_last_missing_at=self.clock())
        return self.record_deferral(record, seconds, reason)

    def mark_published(self, record: RequestRecord) -> None:
        self._change(record, state=RequestState.ANNOUNCED)

    def _change(self, record: RequestRecord, **changes: Any) -> None:
        stored, request = self.requests[record.id]
        self.requests[record.id] = replace(stored, **changes), request

    def _require(self, lease: Lease) -> None:
        if (
            lease.resource not in self.leased_until
            or self.resources[lease.resource].fencing_token != lease.fencing_token
        ):
            raise RetryLater("the lease was lost", 2)


type Fault = str | Exception | None

LOST = "the write happens, its response is lost"
LOST_BEFORE = "the write is lost on its way"
KILLED = "the write happens, and its sender is killed"
KILLED_BEFORE = "the sender is killed before it sends the write"


class Killed(BaseException):
    """The function ended here without a trace."""


@dataclass
class MemoryClose:
    """One Close organization. ``faults`` strike the writes to come, one each; None lets one pass.

    They are LOST, LOST_BEFORE, KILLED, KILLED_BEFORE, or an exception.

    ``order`` holds the ids of each type's fields, shared ones included; ``associations`` what is said of the latter.
    """

    clock: Clock
    lag: float = 0
    existing: list[CustomObjectType] = field(default_factory=list)
    fields: list[CustomField] = field(default_factory=list)
    shared: list[CustomField] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)
    order: dict[str, list[str]] = field(default_factory=dict)
    associations: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    listed_from: dict[str, float] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    list_fails: Exception | None = None
    made: int = 0
    writes: list[str] = field(default_factory=list)

    def add(self, name: str, **further: Any) -> CustomObjectType:
        """Create a type by hand. ``further``: other keys of the type."""
        plain = {"name": name, "name_plural": f"{name}s", "api_create_only": False, "organization_id": "orga_acme"}
        created = CustomObjectType.model_validate({**self._signed("cotype"), **plain, **further})
        self.existing.append(created)
        return created

    def add_field(self, type_id: str | None, name: str, **further: Any) -> CustomField:
        """Create a field of that type by hand or, without a type, a shared field."""
        plain = {"name": name, "type": "text", "custom_object_type_id": type_id, "required": False}
        created = CustomField.model_validate({**self._signed("cf"), **plain, **further})
        (self.fields if type_id else self.shared).append(created)
        if type_id:
            self.order.setdefault(type_id, []).append(created.id)
        return created

    def add_association(self, field_id: str, type_id: str, **body: Any) -> None:
        self.associations[field_id, type_id] = body
        self.order.setdefault(type_id, []).append(field_id)

    def delete_all(self) -> None:
        """Delete all types with their fields, and all shared fields, by hand."""
        for each in (self.existing, self.fields, self.shared, self.order, self.associations):
            each.clear()

    def _signed(self, prefix: str) -> dict[str, Any]:
        self.made += 1
        date = datetime.fromtimestamp(self.clock(), UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        return {"id": f"{prefix}_{self.made}", "date_created": date}

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.existing]

    @property
    def field_names(self) -> list[str]:
        return [each.name for each in self.fields]

    def is_listed(self, close_id: str) -> bool:
        return self.listed_from.get(close_id, 0) <= self.clock()

    def listed(self) -> list[CustomObjectType]:
        if self.list_fails:
            raise self.list_fails
        return [self.shown(each) for each in self.existing if self.is_listed(each.id)]

    def shown(self, each: CustomObjectType) -> CustomObjectType:
        """With rows for its fields, in their order."""
        fields = {field.id: field for field in (*self.fields, *self.shared)}
        ids = [close_id for close_id in self.order.get(each.id, []) if self.is_listed(f"{close_id} of {each.id}")]
        rows = [
            {"id": close_id, "name": fields[close_id].name, **self.associations.get((close_id, each.id), {})}
            for close_id in ids
        ]
        return each.model_copy(update={"fields": rows})

    def write[Made](self, what: str, do: Callable[[], Made]) -> Made:
        """Any write: struck by a fault, if one is due."""
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if fault == KILLED_BEFORE:
            raise Killed
        self.writes.append(what)
        if fault == LOST_BEFORE:
            raise OutcomeUnknown("no answer")
        made = do()
        if fault == KILLED:
            raise Killed
        if fault == LOST:
            raise OutcomeUnknown("no answer")
        return made

    def create(self, body: Mapping[str, Any]) -> CustomObjectType:
        return self.write("create type", lambda: self.lagging(self.add(**body)))

    def lagging[Row: (CustomObjectType, CustomField)](self, created: Row) -> Row:
        self.listed_from[created.id] = self.clock() + self.lag
        if isinstance(created, CustomField):
            self.listed_from[f"{created.id} of {created.custom_object_type_id}"] = self.clock() + self.lag
        return created

    def change[Row: (CustomObjectType, CustomField)](
        self, rows: list[Row], close_id: str, body: Mapping[str, Any]
    ) -> Row:
        place = next(place for place, each in enumerate(rows) if each.id == close_id)
        model = type(rows[place])
        rows[place] = model.model_validate({**rows[place].model_dump(), **body})
        return rows[place]


@dataclass
class MemoryOrganization:
    """A batch's look at MemoryClose: each list is read once, and again only when it must be newer."""

    close: MemoryClose
    rejection: Exception | None = None
    seen: dict[str, list[Any]] = field(default_factory=dict)
    seen_at: dict[str, float] = field(default_factory=dict)

    def prepare(self) -> None:
        if self.rejection:
            raise self.rejection

    def types(self, not_before: float = 0) -> Sequence[CustomObjectType]:
        return self._read("types", not_before, self.close.listed)

    def fields(self, not_before: float = 0) -> Sequence[CustomField]:
        return self._read("fields", not_before, lambda: self._listed(self.close.fields))

    def shared_fields(self, not_before: float = 0) -> Sequence[CustomField]:
        return self._read("shared", not_before, lambda: self._listed(self.close.shared))

    def roles(self) -> Sequence[Role]:
        return self.close.roles

    def _listed(self, rows: Sequence[CustomField]) -> list[CustomField]:
        return [each for each in rows if self.close.is_listed(each.id)]

    def _read(self, name: str, not_before: float, read: Callable[[], list[Any]]) -> list[Any]:
        if self.seen_at.get(name, -1) < not_before:
            self.seen[name], self.seen_at[name] = read(), self.close.clock()
        return self.seen[name]

    def type(self, close_id: str) -> CustomObjectType | None:
        return next((self.close.shown(each) for each in self.close.existing if each.id == close_id), None)

    def field(self, close_id: str, *, shared: bool) -> CustomField:
        return next(each for each in (self.close.shared if shared else self.close.fields) if each.id == close_id)

    def create_type(self, body: Mapping[str, Any]) -> CustomObjectType:
        return self._keep("types", self.close.create(body))

    def update_type(self, close_id: str, body: Mapping[str, Any]) -> CustomObjectType:
        changed = self.close.write("update type", lambda: self.close.change(self.close.existing, close_id, body))
        return self._keep("types", self.close.shown(changed))

    def create_field(self, body: Mapping[str, Any], *, shared: bool) -> CustomField:
        made = {**body, "type_id": body.get("custom_object_type_id")}
        created = self.close.write("create field", lambda: self.close.lagging(self.close.add_field(**made)))
        if not shared:
            self._change_rows(made["type_id"], lambda rows: [*rows, {"id": created.id, "name": created.name}])
        return self._keep("shared" if shared else "fields", created)

    def update_field(self, close_id: str, body: Mapping[str, Any], *, shared: bool) -> CustomField:
        rows = self.close.shared if shared else self.close.fields
        changed = self.close.write("update field", lambda: self.close.change(rows, close_id, body))
        return self._keep("shared" if shared else "fields", changed)

    def associate(self, field_id: str, type_id: str, body: Mapping[str, Any]) -> None:
        def do() -> None:
            self.close.add_association(field_id, type_id, **body)
            self.close.listed_from[f"{field_id} of {type_id}"] = self.close.clock() + self.close.lag

        self.close.write("associate", do)
        self._change_rows(type_id, lambda rows: [*rows, {"id": field_id, **body}])

    def update_association(self, field_id: str, type_id: str, body: Mapping[str, Any]) -> None:
        associations = self.close.associations
        self.close.write("update association", lambda: associations[field_id, type_id].update(body))
        self._change_rows(type_id, lambda rows: [{**row, **body} if row["id"] == field_id else row for row in rows])

    def reorder(self, type_id: str, field_ids: Sequence[str]) -> None:
        """Those that are left out come at the end."""

        def do() -> None:
            omitted = [each for each in self.close.order.get(type_id, []) if each not in field_ids]
            self.close.order[type_id] = [*field_ids, *omitted]

        self.close.write("reorder", do)
        places = {close_id: place for place, close_id in enumerate(field_ids)}
        self._change_rows(type_id, lambda rows: sorted(rows, key=lambda row: places.get(row["id"], len(places))))

    def _keep[Row: (CustomObjectType, CustomField)](self, name: str, row: Row) -> Row:
        """A list that was read follows what we did."""
        if name in self.seen:
            rows = {each.id: each for each in self.seen[name]} | {row.id: row}
            self.seen[name] = list(rows.values())
        return row

    def _change_rows(self, type_id: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        """Change the fields in the list of types, too."""
        for each in self.seen.get("types", []):
            if each.id == type_id:
                self._keep("types", each.model_copy(update={"fields": change(each.fields or [])}))
                return


@dataclass
class MemoryTopic:
    """A topic that keeps (event id, outcome). ``fails`` is raised instead, if it is set."""

    events: list[tuple[str, Outcome]] = field(default_factory=list)
    types: list[tuple[str, Outcome]] = field(default_factory=list)
    fails: Exception | None = None

    def publish(self, event_id: str, outcome: Outcome) -> None:
        if self.fails:
            raise self.fails
        self.events.append((event_id, outcome))

    def publish_type(self, event_id: str, outcome: Outcome) -> None:
        self.types.append((event_id, outcome))


class UseCaseWorld:
    """The use case with its ledger, topic and clock in memory. A subclass adds Close."""

    def __init__(self, list_lag: float = 60, wait_limit: float = 20_000) -> None:
        self.clock = Clock()
        self.ledger = MemoryLedger(self.clock)
        self.topic = MemoryTopic()
        self.provisioner = Provisioner(self.ledger, self.topic, list_lag, wait_limit, self.clock)

    def organization(self, rejection: Exception | None = None) -> Organization:
        """Return the organization for one batch. ``rejection``: raised in place of the credential."""
        raise NotImplementedError

    def reconcile(self, request: ProvisioningRequest, organization: Organization | None = None) -> Outcome | Deferred:
        """Accept the request, then reconcile, as each handler does."""
        return self.provisioner.reconcile(
            Job(self.ledger.accept(request), request, organization or self.organization())
        )

    def settle(self, request: ProvisioningRequest, runs: int = 10) -> tuple[Outcome, int]:
        """Reconcile until the request is settled, past every deferral. Return the outcome and the number of runs."""
        for run in range(1, runs + 1):
            result = self.reconcile(request)
            if isinstance(result, Outcome):
                return result, run
            self.clock.advance(result.seconds + 0.001)
        raise AssertionError(f"not settled after {runs} runs: {result}")

    def lease_and_vanish(self, request: ProvisioningRequest) -> None:
        """Lease the request's resources as a run that is then killed."""
        for resource in resources_to_lock(request):
            self.ledger.lease(self.ledger.accept(request), resource)


class MemoryWorld(UseCaseWorld):
    """The use case with all of its dependencies in memory."""

    def __init__(self, list_lag: float = 60, wait_limit: float = 20_000) -> None:
        super().__init__(list_lag, wait_limit)
        self.close = MemoryClose(self.clock)

    def organization(self, rejection: Exception | None = None) -> MemoryOrganization:
        return MemoryOrganization(self.close, rejection)


def kind_of(outcome: Outcome) -> str:
    """The name of the outcome's problem."""
    assert outcome.problem
    return outcome.problem.type.rpartition(":")[2]
