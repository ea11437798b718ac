"""Compute the outcome of a request from the result of its last run. Pure."""

from collections.abc import Iterable
from typing import Any, Literal

from provisioner.contract.errors import ProblemType, Rejected, make_problem
from provisioner.contract.outcome import FieldOutcome, Outcome, Result, TypeOutcome, moment
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import FieldSpec
from provisioner.ledger.lease import CREATE_RESOURCE, AppliedWrite, Provenance, ResourceKey, ResourceKind
from provisioner.ledger.models import RequestRecord
from provisioner.reconcile.diff import field_path
from provisioner.reconcile.plan import (
    REORDER_FIELDS,
    Applied,
    TypeAction,
    TypePlan,
    is_association,
    operation_of,
    shared_field_resource,
    type_resource,
    update_operation,
)
from provisioner.reconcile.render import plan_as_json
from provisioner.reconcile.safety import Indeterminate

MAX_NAMES = 5  # in one sentence

RESULT_PRECEDENCE = (Result.CREATED, Result.RECOVERED, Result.UPDATED, Result.ADOPTED, Result.UNCHANGED)
"""The result of several types is the first of these results that any of them has."""

RESULT_OF = {
    Provenance.CREATED: Result.CREATED,
    Provenance.RECOVERED: Result.RECOVERED,
    Provenance.UPDATED: Result.UPDATED,
}


def make_outcome(record: RequestRecord, request: ProvisioningRequest, applied: Applied, now: float) -> Outcome:
    """Return the outcome of a run that is not repeated. ``now``: the time of settlement (Unix seconds).

    Never report ``failed`` while a create of this request may still land.
    """
    error = applied.stopped_by
    if error is None:
        types = _Report(record, request, applied, None).types()
        results = {each.result for each in types}
        return _outcome(record, next(each for each in RESULT_PRECEDENCE if each in results), now, types=types)
    if isinstance(error, Indeterminate) or any(each.may_have_created(record.id) for each in applied.records.values()):
        return unresolved(record, request, str(error), now, applied)
    assert isinstance(error, Rejected)  # noqa: S101 - every other error defers the request
    types = _Report(record, request, applied, Result.FAILED).types()
    plan = plan_as_json(applied.plan) if applied.plan and error.kind is ProblemType.PLAN_STALE else None
    problem = error.repointed(request.existing_pointer).problem
    return _outcome(record, Result.FAILED, now, problem=problem, types=types, plan=plan)


def unresolved(
    record: RequestRecord, request: ProvisioningRequest, cause: str, now: float, applied: Applied | None = None
) -> Outcome:
    """Return the outcome of a request whose result is unknown. It tells the operator what to check, and where."""
    names = ", ".join(repr(spec.name) for spec in request.types[:MAX_NAMES])
    more = "" if len(request.types) <= MAX_NAMES else ", …"
    what = "a type named" if len(request.types) == 1 else "the types named"
    fields = " with all of their fields" if any(spec.fields for spec in request.types) else ""
    detail = (
        f"{cause} Check in Close, organization of tenant {record.tenant!r}, Settings > Custom Objects, for {what} "
        f"{names}{more}{fields}. If it exists, send a new request: if_exists 'adopt' keeps it, 'update' completes it. "
        "If it exists twice, delete the one without data first. If it is missing, resolve this request as not there "
        "and retry it, or wait 24 hours and send a new request."
    )
    types = _Report(record, request, applied, Result.UNRESOLVED).types() if applied else ()
    problem = make_problem(ProblemType.UNRESOLVED, detail)
    return _outcome(record, Result.UNRESOLVED, now, problem=problem, types=types)


class _Report:
    """The report on types and fields. ``incomplete_result``: the result of unfinished parts, if any."""

    def __init__(
        self, record: RequestRecord, request: ProvisioningRequest, applied: Applied, incomplete_result: Result | None
    ) -> None:
        self.record, self.request, self.applied = record, request, applied
        self.incomplete_result = incomplete_result

    def types(self) -> tuple[TypeOutcome, ...]:
        return tuple(self._type(each) for each in self._plans())

    def _plans(self) -> Iterable[TypePlan]:
        """Return the plans of the types. Without a plan, return bare ones if an earlier run of this request wrote."""
        if self.applied.plan:
            return self.applied.plan.types
        if not any(each.was_written_by(self.record.id) for each in self.applied.records.values()):
            return ()
        records = self.applied.records.values()
        organization = next(each for each in records if each.was_written_by(self.record.id)).resource.organization
        resources = (type_resource(organization, spec.natural_key) for spec in self.request.types)
        types = zip(self.request.types, resources, strict=True)
        return [TypePlan(spec, resource, None, TypeAction.CREATE) for spec, resource in types]

    def _type(self, plan: TypePlan) -> TypeOutcome:
        observed = self.applied.types.get(plan.resource)
        shown, omitted = observed.shown() if observed else (None, ())
        return TypeOutcome(
            name=plan.spec.name,
            id=self._id(plan.resource, CREATE_RESOURCE),
            result=self._result(plan),
            custom_object_type=shown,
            omitted=omitted,
            fields=tuple(self._field(plan, each) for each in plan.spec.fields),
            steps=tuple(self._steps(plan)),
            differences=plan.differences,
            blocked=plan.blocked,
            other_matches=plan.other_matches,
            renamed=plan.renamed,
        )

    def _result(self, plan: TypePlan) -> Result:
        if write := self._own_write(plan.resource, CREATE_RESOURCE):
            return RESULT_OF[write.how]
        incomplete = self.incomplete_result
        if incomplete and (plan.existing is None or plan.action is TypeAction.REJECT):
            return incomplete
        writes = self.applied.records[plan.resource].writes
        has_shared_steps = not _is_read_only(plan) and any(self._shared_steps(plan))  # else they were for another type
        if has_shared_steps or any(self._own_write(plan.resource, each) for each in writes):
            return Result.UPDATED
        if incomplete and (plan.steps or plan.blocked):
            return incomplete
        return Result.ADOPTED if plan.differences or plan.blocked else Result.UNCHANGED

    def _field(self, plan: TypePlan, spec: FieldSpec) -> FieldOutcome:
        """Report a field. A shared field counts as created if it or its association was created."""
        operations = _operations(plan, spec)
        ids = [close_id for resource, operation in operations if (close_id := self._id(resource, operation))]
        return FieldOutcome(name=spec.name, id=ids[-1] if ids else None, result=self._field_result(plan, spec))

    def _field_result(self, plan: TypePlan, spec: FieldSpec) -> Result | Literal["missing", "blocked"]:
        prefix = f"{field_path(spec.name)}/"
        if any(each.field.startswith(prefix) for each in plan.blocked):
            return "blocked"
        own = self._operations_of(plan, spec)
        keys = [(resource, each) for resource, key in own for each in (key, update_operation(key))]
        results = {RESULT_OF[write.how] for resource, key in keys if (write := self._own_write(resource, key))}
        if results:
            return next(each for each in RESULT_PRECEDENCE if each in results)
        if spec.natural_key not in plan.fields:
            return "missing"
        differs = any(each.field.startswith(prefix) for each in plan.differences)
        return Result.ADOPTED if differs else Result.UNCHANGED

    def _steps(self, plan: TypePlan) -> Iterable[str]:
        """Describe the writes of this request, in the order of the spec."""
        yield from self._described(plan.resource, CREATE_RESOURCE, f"type {plan.spec.name}")
        for spec in plan.spec.fields:
            for resource, operation in self._operations_of(plan, spec):
                kind = "shared field" if resource.kind is ResourceKind.SHARED_FIELD else "field"
                prefix = "association of " if is_association(operation) else ""
                yield from self._described(resource, operation, f"{prefix}{kind} {spec.name}")
        if self._own_write(plan.resource, REORDER_FIELDS):
            yield "put the fields in order"

    def _operations_of(self, plan: TypePlan, spec: FieldSpec) -> list[tuple[ResourceKey, str]]:
        """The operations that count for this type: not a shared field's, if an adopted type does not have it."""
        operations = _operations(plan, spec)
        return operations[-1:] if _is_read_only(plan) and spec.natural_key not in plan.fields else operations

    def _shared_steps(self, plan: TypePlan) -> Iterable[str]:
        for spec in plan.spec.fields:
            for resource, operation in self._operations_of(plan, spec):
                if resource != plan.resource:
                    yield from self._described(resource, operation, spec.name)

    def _described(self, resource: ResourceKey, operation: str, what: str) -> Iterable[str]:
        for key in (operation, update_operation(operation)):
            if write := self._own_write(resource, key):
                yield f"{RESULT_OF[write.how]} {what}"

    def _id(self, resource: ResourceKey, operation: str) -> str | None:
        write = self._own_write(resource, operation)
        return self.applied.ids.get((resource, operation)) or (write.close_id if write else None)

    def _own_write(self, resource: ResourceKey, operation: str) -> AppliedWrite | None:
        return self.applied.records[resource].own_write(operation, self.record.id)


def _is_read_only(plan: TypePlan) -> bool:
    return plan.action in {TypeAction.ADOPT, TypeAction.REJECT}


def _operations(plan: TypePlan, spec: FieldSpec) -> list[tuple[ResourceKey, str]]:
    """Return the operations that create a field of the type."""
    of_type = (plan.resource, operation_of(spec))
    shared = shared_field_resource(plan.resource.organization, spec.natural_key)
    return [(shared, CREATE_RESOURCE), of_type] if spec.shared else [of_type]


def _outcome(record: RequestRecord, result: Result, now: float, **more: Any) -> Outcome:
    return Outcome(
        tenant=record.tenant,
        request_id=record.request_id,
        result=result,
        attempts=record.deferrals + 1,
        settled_at=moment(now),
        **record.requester._asdict(),
        **more,
    )
