"""What is said of a request: its outcome, from what was found, made, refused or given up. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from provisioner.contract.errors import Problem, ProblemType, make_problem
from provisioner.contract.outcome import FieldOutcome, Outcome, Result, TypeOutcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import FieldSpec
from provisioner.ledger.models import CREATE_RESOURCE, Lease, Provenance, RequestRecord, ResourceKey, ResourceKind
from provisioner.reconcile.apply import Execution
from provisioner.reconcile.diff import field_path
from provisioner.reconcile.plan import (
    REORDER_FIELDS,
    TypeAction,
    TypePlan,
    is_association,
    operation_of,
    shared_field_resource,
    type_resource,
    update_operation,
)

MAX_NAMES = 5  # names in a sentence

RESULT_PRECEDENCE = (Result.CREATED, Result.RECOVERED, Result.UPDATED, Result.ADOPTED, Result.UNCHANGED)
"""Of several types, the request's result is the first of these that one of them has."""

RESULT_OF = {
    Provenance.CREATED: Result.CREATED,
    Provenance.RECOVERED: Result.RECOVERED,
    Provenance.UPDATED: Result.UPDATED,
}


def succeeded(run: Execution, now: float) -> Outcome:
    """Everything is as it shall be, or as it may be. ``now``, here and below: when it is settled (Unix seconds)."""
    types = _types(run, None)
    results = {each.result for each in types}
    return _outcome(run.record, next(each for each in RESULT_PRECEDENCE if each in results), now, types=types)


def failed(record: RequestRecord, fault: Problem, now: float, run: Execution | None = None) -> Outcome:
    """What is missing is not there, and this request will not make it."""
    types = _types(run, Result.FAILED) if run else ()
    return _outcome(record, Result.FAILED, now, problem=fault, types=types)


def unresolved(
    record: RequestRecord, request: ProvisioningRequest, cause: str, now: float, run: Execution | None = None
) -> Outcome:
    """It is not known; says what a person must look for, and where."""
    names = ", ".join(repr(spec.name) for spec in request.types[:MAX_NAMES]) + (
        "" if len(request.types) <= MAX_NAMES else ", …"
    )
    what = "a type named" if len(request.types) == 1 else "the types named"
    fields = " with all of their fields" if any(spec.fields for spec in request.types) else ""
    detail = (
        f"{cause} Please look in Close, organization of tenant {record.tenant!r}, Settings > Custom Objects, for "
        f"{what} {names}{fields}. What is there, a new request takes as it is (if_exists 'adopt') or completes "
        "('update'). If there are two of something, delete the one without data first. If something is not there, send "
        "a new request tomorrow."
    )
    types = _types(run, Result.UNRESOLVED) if run else ()
    return _outcome(record, Result.UNRESOLVED, now, problem=make_problem(ProblemType.UNRESOLVED, detail), types=types)


def exists(run: Execution) -> Problem | None:
    """With if_exists 'fail': that somebody else made one of the types, if somebody did."""
    there = [each.existing for each in _plans(run) if each.mode is TypeAction.REJECT and each.existing]
    if not there:
        return None
    names = ", ".join(f"{each.name!r} ({each.id})" for each in there[:MAX_NAMES]) + (
        "" if len(there) <= MAX_NAMES else ", …"
    )
    what = "a type" if len(there) == 1 else "types"
    return make_problem(ProblemType.TYPE_EXISTS, f"The organization has {what} named {names}, and if_exists is 'fail'.")


def blocked(run: Execution) -> Problem | None:
    """That something is blocked, if it is; nothing was written then."""
    found = run.plan.blocked if run.plan else ()
    if not found or run.request.allow_partial:
        return None
    told = "; ".join(
        f"{each.field} is {each.observed!r} and shall be {each.desired!r}: {each.reason}" for each in found[:MAX_NAMES]
    )
    more = f"; and {len(found) - MAX_NAMES} more" if len(found) > MAX_NAMES else ""
    return make_problem(ProblemType.BLOCKED, f"{told}{more}. With allow_partial, the rest is done all the same.")


def _plans(run: Execution) -> Iterable[TypePlan]:
    """Of a run that did not come to plan, what earlier ones of the same request made is told all the same."""
    if run.plan:
        return run.plan.types
    if not any(lease.was_written_by(run.record.id) for lease in run.leases.values()):
        return ()
    resources = (type_resource(run.record.tenant, spec.natural_key) for spec in run.request.types)
    return [
        TypePlan(spec, resource, None, TypeAction.CREATE)
        for spec, resource in zip(run.request.types, resources, strict=True)
    ]


def _types(run: Execution, without: Result | None) -> tuple[TypeOutcome, ...]:
    """``without``: the result of what could not be finished; None when all was."""
    return tuple(_type(run, each, without) for each in _plans(run))


def _type(run: Execution, plan: TypePlan, without: Result | None) -> TypeOutcome:
    lease = run.leases[plan.resource]
    observed = run.types.get(plan.resource)
    shown, omitted = observed.shown() if observed else (None, ())
    return TypeOutcome(
        name=plan.spec.name,
        id=_id(run, plan.resource, CREATE_RESOURCE),
        result=_result(run, plan, lease, without),
        custom_object_type=shown,
        omitted=omitted,
        fields=tuple(_field(run, plan, each) for each in plan.spec.fields),
        steps=tuple(_steps(run, plan)),
        differences=plan.differences,
        blocked=plan.blocked,
        other_matches=plan.other_matches,
    )


def _result(run: Execution, plan: TypePlan, lease: Lease, without: Result | None) -> Result:
    made = run.own_write(lease, CREATE_RESOURCE)
    if made:
        return RESULT_OF[made.how]
    if without and (plan.existing is None or plan.mode is TypeAction.REJECT):
        return without
    if any(run.own_write(lease, operation) for operation in lease.writes) or any(_shared_steps(run, plan)):
        return Result.UPDATED
    if without and (plan.steps or plan.blocked):
        return without
    return Result.ADOPTED if plan.differences or plan.blocked else Result.UNCHANGED


def _field(run: Execution, plan: TypePlan, spec: FieldSpec) -> FieldOutcome:
    """A shared field counts as made when it was, or when it was associated with the type."""
    operations = _things(plan, spec)
    ids = [close_id for resource, operation in operations if (close_id := _id(run, resource, operation))]
    made = [
        found
        for resource, operation in operations
        for at in (operation, update_operation(operation))
        if (found := run.own_write(run.leases[resource], at))
    ]
    results = {RESULT_OF[each.how] for each in made}
    prefix = field_path(spec.name)
    if any(each.field.startswith(f"{prefix}/") for each in plan.blocked):
        result: Any = "blocked"
    elif results:
        result = next(each for each in RESULT_PRECEDENCE if each in results)
    elif spec.natural_key not in plan.fields:
        result = "missing"
    else:
        differs = any(each.field.startswith(f"{prefix}/") for each in plan.differences)
        result = Result.ADOPTED if differs else Result.UNCHANGED
    return FieldOutcome(name=spec.name, id=ids[-1] if ids else None, result=result)


def _id(run: Execution, resource: ResourceKey, operation: str) -> str | None:
    made = run.own_write(run.leases[resource], operation)
    return run.ids.get((resource, operation)) or (made.close_id if made else None)


def _things(plan: TypePlan, spec: FieldSpec) -> list[tuple[ResourceKey, str]]:
    of_type = (plan.resource, operation_of(spec))
    return (
        [(shared_field_resource(plan.resource.tenant, spec.natural_key), CREATE_RESOURCE), of_type]
        if spec.shared
        else [of_type]
    )


def _steps(run: Execution, plan: TypePlan) -> Iterable[str]:
    """What this request did, in the order of the spec."""
    itself = run.leases[plan.resource]
    yield from _told(run, itself, CREATE_RESOURCE, f"type {plan.spec.name}")
    for spec in plan.spec.fields:
        for resource, operation in _things(plan, spec):
            what = f"shared field {spec.name}" if resource.kind is ResourceKind.SHARED_FIELD else f"field {spec.name}"
            yield from _told(
                run, run.leases[resource], operation, f"association of {what}" if is_association(operation) else what
            )
    if run.own_write(itself, REORDER_FIELDS):
        yield "put the fields in order"


def _shared_steps(run: Execution, plan: TypePlan) -> Iterable[str]:
    for spec in plan.spec.fields:
        for resource, operation in _things(plan, spec):
            if resource != plan.resource:
                yield from _told(run, run.leases[resource], operation, spec.name)


def _told(run: Execution, lease: Lease, operation: str, what: str) -> Iterable[str]:
    for at in (operation, update_operation(operation)):
        if made := run.own_write(lease, at):
            yield f"{RESULT_OF[made.how]} {what}"


def _outcome(record: RequestRecord, result: Result, now: float, **more: Any) -> Outcome:
    return Outcome(
        tenant=record.tenant,
        request_id=record.request_id,
        result=result,
        attempts=record.deferrals + 1,
        settled_at=datetime.fromtimestamp(now, UTC).isoformat(),
        **more,
    )
