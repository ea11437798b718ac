"""One run of a request under its leases: look, plan, carry out step after step, and know what is known meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.errors import OutcomeUnknown, ProblemType, Rejected, RetryLater
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import natural_key
from provisioner.ledger.models import (
    CREATE_RESOURCE,
    AppliedWrite,
    Lease,
    Provenance,
    RequestRecord,
    ResourceKey,
    ResourceKind,
)
from provisioner.reconcile.diff import merge_choices
from provisioner.reconcile.observe import CloseReader, Observer
from provisioner.reconcile.plan import (
    Action,
    Plan,
    Step,
    association_operation,
    field_operation,
    operation_of,
    shared_field_resource,
    type_resource,
)
from provisioner.reconcile.planner import plan
from provisioner.reconcile.resolve import unknown_reference

MAX_UNACKNOWLEDGED_CREATES = 2  # a create whose answer got lost may be sent again once
MAX_INTENTS = 4  # a create of a killed holder, who perhaps never sent it, may be followed by more


class Organization(CloseReader, Protocol):
    """One tenant's organization at Close. What writes is sent once, and raises ``MaybeCreated`` as well."""

    def open(self) -> None:
        """Have the credential at hand. Raises ``Refused`` when there is none."""

    def field(self, close_id: str, *, shared: bool) -> CustomField: ...

    def create_type(self, body: Mapping[str, object]) -> CustomObjectType: ...

    def update_type(self, close_id: str, body: Mapping[str, object]) -> CustomObjectType: ...

    def create_field(self, body: Mapping[str, object], *, shared: bool) -> CustomField: ...

    def update_field(self, close_id: str, body: Mapping[str, object], *, shared: bool) -> CustomField: ...

    def associate(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None: ...

    def update_association(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None: ...

    def reorder(self, type_id: str, field_ids: Sequence[str]) -> None: ...


class Indeterminate(Rejected):
    """All permitted creates of a thing were sent and lost, and it is not to be seen."""


@dataclass(slots=True)
class Execution:
    """``leases`` always says what is known, to be written down whenever the run ends. Durations are in seconds.

    ``known_id`` asks the ledger for the id of a type that is referred to and that Close's list does not show.
    """

    record: RequestRecord
    request: ProvisioningRequest
    organization: Organization
    leases: dict[ResourceKey, Lease]
    lag: float
    clock: Callable[[], float]
    known_id: Callable[[ResourceKey], str | None]
    plan: Plan | None = None
    types: dict[ResourceKey, CustomObjectType] = field(default_factory=dict)  # as Close showed them last
    ids: dict[tuple[ResourceKey, str], str] = field(
        default_factory=dict
    )  # of types, fields and shared fields, by thing
    looked_at: float = 0  # Unix seconds

    def look(self) -> Plan:
        """Look at Close, take note of what is found, and plan.

        Raises ``Busy`` when what this service did lately is not to be seen yet, and as ``planning.plan`` does.
        """
        now = self.clock()
        look = Observer(self.request, self.organization, self.leases, self.lag, now, self.known_id)
        seen = look.seen()
        self.looked_at, self.leases = now, look.noted(seen, self.record)
        types = ((resource, lease) for resource, lease in self.leases.items() if resource.kind is ResourceKind.TYPE)
        mine = [resource.name for resource, lease in types if self.own_write(lease, CREATE_RESOURCE)]
        self.plan = planned = plan(self.request, seen, look.type_ids, mine)
        self._take_note(planned)
        begun = any(lease.was_written_by(self.record.id) for lease in self.leases.values())
        if self.request.plan_digest not in {None, planned.digest} and not begun:
            raise Rejected(ProblemType.PLAN_STALE, "Close, or the request, is not what it was when this was planned.")
        return planned

    def reconcile(self, steps: Sequence[Step]) -> None:
        """Do them, in their order. Raises ``Unknowable`` for a create that may not be sent once more."""
        for step in steps:
            if step.action.creates:
                self._may_create(step)
            elif "choices" in step.body:
                self._may_extend(step)
            try:
                close_id = self._do(step)
            except OutcomeUnknown as error:
                self._lost(step)
                raise RetryLater(f"{error}; waiting until Close's list is sure to show it", self.lag) from error
            except Rejected as rejection:
                raise rejection.below(step.pointer) from rejection
            how = Provenance.CREATED if step.action.creates else Provenance.UPDATED
            self._remember(step, AppliedWrite(close_id, self.clock(), how, (self.record.id,)))

    def own_write(self, lease: Lease, operation: str) -> AppliedWrite | None:
        """What this very request surely did to that thing."""
        made = lease.writes.get(operation)
        return made if made and made.how is not Provenance.OBSERVED and self.record.id in made.requests else None

    def given_back(self) -> list[Lease]:
        """The leases as they are to be written down: nothing of this holder is at large but what is in doubt."""
        return [lease.looked(self.looked_at, self.lag) for lease in self.leases.values()]

    def _take_note(self, planned: Plan) -> None:
        """Everything that is there has an id."""
        for each in planned.types:
            if each.existing:
                self._shown(each.resource, each.existing)
            for spec in each.spec.fields:
                if observed := each.fields.get(spec.natural_key):
                    self.ids[each.resource, operation_of(spec)] = observed.id
        for key, shared in planned.shared.items():
            self.ids[shared_field_resource(self.request.tenant, key), CREATE_RESOURCE] = shared.id

    # --- may it be done?

    def _may_create(self, step: Step) -> None:
        """It was not found. Returns when that is conclusive and a create may be sent, else raises."""
        lease = self.leases[step.resource]
        in_doubt = lease.in_doubt_about(step.operation)
        looks = [look for doubt in in_doubt if (look := doubt.next_look(self.looked_at, self.lag))]
        if looks:
            raise RetryLater(
                "a create whose answer got lost is not to be seen at Close yet", min(looks) - self.looked_at
            )
        sent = len(lease.in_doubt_requests(step.operation))
        if sum(doubt.lost for doubt in in_doubt) >= MAX_UNACKNOWLEDGED_CREATES or sent >= MAX_INTENTS:
            what = _described(step)
            detail = f"Up to {sent} creates of {what} were sent, their answers got lost, and Close's list shows none."
            raise Indeterminate(ProblemType.UNRESOLVED, detail)

    def _may_extend(self, step: Step) -> None:
        """Choices are written as a whole: nobody may do so from a list that may not show the last ones yet."""
        made = self.leases[step.resource].writes.get(step.operation)
        if made and (wait := made.at + self.lag - self.looked_at) > 0:
            raise RetryLater("the choices were changed just now, and Close may not show them yet", wait)

    # --- what is known now

    def _lost(self, step: Step) -> None:
        lease = self.leases[step.resource]
        if step.action.creates:
            self.leases[step.resource] = lease.with_in_doubt(step.operation, self.record.id, self.clock())
        else:  # it says what is to be, and may be said again; but it may arrive late
            made = AppliedWrite(step.close_id or "", self.clock(), Provenance.UPDATED, (self.record.id,))
            self.leases[step.resource] = lease.has(step.operation, made)

    def _remember(self, step: Step, made: AppliedWrite) -> None:
        self.leases[step.resource] = self.leases[step.resource].has(step.operation, made)
        self.ids[step.resource, step.operation] = made.close_id

    def _shown(self, resource: ResourceKey, observed: CustomObjectType) -> str:
        self.types[resource] = observed
        self.ids[resource, CREATE_RESOURCE] = observed.id
        return observed.id

    # --- doing

    def _do(self, step: Step) -> str:
        """Send it. The id of what was created or changed."""
        return self._create(step) if step.action.creates else self._change(step)

    def _create(self, step: Step) -> str:
        close = self.organization
        match step.action:
            case Action.CREATE_TYPE:
                return self._shown(step.resource, close.create_type(step.body))
            case Action.CREATE_FIELD:
                return close.create_field(self._field_body(step), shared=False).id
            case Action.CREATE_SHARED_FIELD:
                return close.create_field(step.body, shared=True).id
        close.associate(self._shared_id(step), self._type_id(step.resource), step.body)
        return self._shared_id(step)

    def _change(self, step: Step) -> str:
        close, type_id = self.organization, self.ids.get((step.resource, CREATE_RESOURCE), "")
        match step.action:
            case Action.UPDATE_TYPE:
                self._shown(step.resource, close.update_type(type_id, step.body))
            case Action.UPDATE_ASSOCIATION:
                close.update_association(step.close_id or "", type_id, step.body)
            case Action.REORDER:
                close.reorder(type_id, [self._field_id(step.resource, each) for each in step.body["order"]])
            case _:
                self._update_field(step, shared=step.action is Action.UPDATE_SHARED_FIELD)
        return step.close_id or type_id

    def _field_body(self, step: Step) -> dict[str, object]:
        body = {**step.body, "custom_object_type_id": self._type_id(step.resource)}
        if key := body.pop("references", None):
            body["referenced_custom_type_id"] = self._reference(str(key))
        return body

    def _reference(self, key: str) -> str:
        made = self.ids.get((type_resource(self.request.tenant, key), CREATE_RESOURCE))
        reference = made or (self.plan and self.plan.references.get(key))
        if not reference:
            raise unknown_reference(key, "/references")
        return reference

    def _update_field(self, step: Step, *, shared: bool) -> None:
        """Choices are extended as they are now, not as they were when the list was read."""
        close_id, body = step.close_id or "", dict(step.body)
        if "choices" in body:
            observed = self.organization.field(close_id, shared=shared)
            body["choices"] = merge_choices(observed.choices, body["choices"])
        self.organization.update_field(close_id, body, shared=shared)

    def _type_id(self, resource: ResourceKey) -> str:
        return self.ids[resource, CREATE_RESOURCE]

    def _shared_id(self, step: Step) -> str:
        return self.ids[shared_field_resource(self.request.tenant, natural_key(step.name)), CREATE_RESOURCE]

    def _field_id(self, resource: ResourceKey, entry: str) -> str:
        """Of an entry of an order: an id, or the natural key of a field that was to come."""
        return (
            self.ids.get((resource, field_operation(entry)))
            or self.ids.get((resource, association_operation(entry)))
            or entry
        )


def _described(step: Step) -> str:
    """What the step makes, for people."""
    described = {
        Action.CREATE_TYPE: f"the type {step.name!r}",
        Action.CREATE_FIELD: f"the field {step.name!r} of the type {step.resource.name!r}",
        Action.CREATE_SHARED_FIELD: f"the shared field {step.name!r}",
        Action.ASSOCIATE: f"the association of the shared field {step.name!r} with the type {step.resource.name!r}",
    }
    return described[step.action]
