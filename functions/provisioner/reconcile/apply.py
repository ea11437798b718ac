"""Execute the steps of a plan in order, under the leases, and record the result of each."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from provisioner.close.models import CustomObjectType
from provisioner.contract.errors import OutcomeUnknown, ProvisioningError, Rejected, RetryLater
from provisioner.contract.text import natural_key
from provisioner.ledger.in_doubt import latest_landing
from provisioner.ledger.lease import CREATE_RESOURCE, AppliedWrite, Provenance, ResourceKey, ResourceRecord
from provisioner.ledger.models import RequestRecord
from provisioner.reconcile.diff import merge_choices
from provisioner.reconcile.plan import (
    Action,
    Applied,
    Matches,
    Plan,
    Step,
    association_operation,
    field_operation,
    shared_field_resource,
    type_resource,
)
from provisioner.reconcile.ports import Organization
from provisioner.reconcile.resolve import unknown_reference
from provisioner.reconcile.safety import check_create, check_update

LIST_ENTRY = re.compile(r"/\d+(?=/|$)")  # in a JSON pointer


def unapplied(
    plan: Plan,
    matches: Matches,
    records: Mapping[ResourceKey, ResourceRecord],
    observed_at: float,
    stopped_by: ProvisioningError | None = None,
) -> Applied:
    """Return the state of knowledge before the first step."""
    types = {each.resource: each.existing for each in plan.types if each.existing}
    ids = {
        (resource, operation): each.id
        for resource, existing in matches.existing.items()
        for operation, each in existing.items()
    }
    return Applied(records, plan, types, ids, observed_at, stopped_by)


@dataclass(slots=True)
class Execution:
    """The execution of one request's steps. ``lag``: the list lag in seconds; ``clock`` returns Unix seconds."""

    request: RequestRecord
    organization: Organization
    clock: Callable[[], float]
    lag: float
    plan: Plan
    observed_at: float
    records: dict[ResourceKey, ResourceRecord]
    types: dict[ResourceKey, CustomObjectType]
    ids: dict[tuple[ResourceKey, str], str]

    @classmethod
    def begin(
        cls, request: RequestRecord, organization: Organization, clock: Callable[[], float], lag: float, at: Applied
    ) -> "Execution":
        """Begin from the result of ``unapplied``, which holds a plan."""
        assert at.plan  # noqa: S101 - ``unapplied`` sets it
        return cls(request, organization, clock, lag, at.plan, at.observed_at, {**at.records}, {**at.types}, {**at.ids})

    def run(self) -> Applied:
        """Execute the steps in order, until one fails or must not be executed."""
        stopped_by: ProvisioningError | None = None
        try:
            for step in self.plan.steps:
                self._execute(step)
        except ProvisioningError as error:
            stopped_by = error
        return Applied(self.records, self.plan, self.types, self.ids, self.observed_at, stopped_by)

    def _execute(self, step: Step) -> None:
        record = self.records[step.resource]
        if step.action.creates:
            check_create(record, step, self.observed_at, self.lag)
        else:
            check_update(record, step, self.observed_at, self.lag)
        try:
            close_id = self._create(step) if step.action.creates else self._update(step)
        except OutcomeUnknown as error:
            self._record_in_doubt(step)
            raise RetryLater(f"{error}; waiting until Close's list is sure to show it", self.lag) from error
        except Rejected as rejection:
            raise rejection.repointed(partial(_pointer, step)) from rejection
        self._record_write(step, close_id)

    # --- recording

    def _record_in_doubt(self, step: Step) -> None:
        record = self.records[step.resource]
        if step.action.creates:
            self.records[step.resource] = record.with_in_doubt(step.operation, self.request.id, self.clock())
        else:  # an update is safe to repeat, but this one may land late
            self._record_write(step, step.close_id or "", latest_landing(self.clock(), self.lag))

    def _record_write(self, step: Step, close_id: str, landed_by: float = 0) -> None:
        """Record the write. An earlier one of the operation may still land after it."""
        earlier = self.records[step.resource].writes.get(step.operation)
        at = max(self.clock(), landed_by, earlier.at if earlier else 0)
        how = Provenance.CREATED if step.action.creates else Provenance.UPDATED
        write = AppliedWrite(close_id, at, how, (self.request.id,))
        self.records[step.resource] = self.records[step.resource].with_write(step.operation, write)
        self.ids[step.resource, step.operation] = close_id

    def _record_type(self, resource: ResourceKey, observed: CustomObjectType) -> str:
        self.types[resource] = observed
        self.ids[resource, CREATE_RESOURCE] = observed.id
        return observed.id

    # --- sending; each method returns the id of the created or updated resource

    def _create(self, step: Step) -> str:
        close = self.organization
        match step.action:
            case Action.CREATE_TYPE:
                return self._record_type(step.resource, close.create_type(step.body))
            case Action.CREATE_FIELD:
                return close.create_field(self._field_body(step), shared=False).id
            case Action.CREATE_SHARED_FIELD:
                return close.create_field(step.body, shared=True).id
        close.associate(self._shared_id(step), self._type_id(step), step.body)
        return self._shared_id(step)

    def _update(self, step: Step) -> str:
        close, type_id = self.organization, self.ids.get((step.resource, CREATE_RESOURCE), "")
        match step.action:
            case Action.UPDATE_TYPE:
                self._record_type(step.resource, close.update_type(type_id, step.body))
            case Action.UPDATE_ASSOCIATION:
                close.update_association(step.close_id or "", type_id, step.body)
            case Action.REORDER:
                close.reorder(type_id, [self._field_id(step.resource, each) for each in step.body["order"]])
            case _:
                self._update_field(step, shared=step.action is Action.UPDATE_SHARED_FIELD)
        return step.close_id or type_id

    def _field_body(self, step: Step) -> dict[str, object]:
        body = {**step.body, "custom_object_type_id": self._type_id(step)}
        if key := body.pop("references", None):
            body["referenced_custom_type_id"] = self._reference(step, str(key))
        return body

    def _reference(self, step: Step, key: str) -> str:
        created = self.ids.get((type_resource(step.resource.organization, key), CREATE_RESOURCE))
        reference = created or self.plan.references.get(key)
        if not reference:
            raise unknown_reference(key, "/references")
        return reference

    def _update_field(self, step: Step, *, shared: bool) -> None:
        """Read the choices again before extending them: they may have changed since the list was read."""
        close_id, body = step.close_id or "", dict(step.body)
        if "choices" in body:
            observed = self.organization.field(close_id, shared=shared)
            body["choices"] = merge_choices(observed.choices, body["choices"])
        self.organization.update_field(close_id, body, shared=shared)

    def _type_id(self, step: Step) -> str:
        return self.ids[step.resource, CREATE_RESOURCE]

    def _shared_id(self, step: Step) -> str:
        return self.ids[shared_field_resource(step.resource.organization, natural_key(step.name)), CREATE_RESOURCE]

    def _field_id(self, resource: ResourceKey, entry: str) -> str:
        """Return the id for an entry of an order: an id, or the natural key of a field that an earlier step created."""
        operations = (field_operation(entry), association_operation(entry))
        return next((self.ids[resource, each] for each in operations if (resource, each) in self.ids), entry)


def _pointer(step: Step, in_sent_body: str) -> str:
    """Return the pointer into the request. An update sends other lists than the request has: the choices of both."""
    kept = in_sent_body if step.action.creates else LIST_ENTRY.split(in_sent_body, maxsplit=1)[0]
    return f"{step.pointer}{kept}"
