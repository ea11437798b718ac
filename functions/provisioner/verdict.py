"""What is said of a request: its outcome, from what was found, made, refused or given up. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from provisioner.apply import Run
from provisioner.compare import field_path
from provisioner.contract import FieldOutcome, Outcome, Problem, ProvisioningRequest, Result, TypeOutcome
from provisioner.errors import Kind, problem
from provisioner.plan import ORDER, Mode, TypePlan, is_association, shared_unit, thing_of, type_unit, update_of
from provisioner.records import ITSELF, How, Lease, RequestRecord, Unit, UnitKind
from provisioner.spec import FieldSpec

FEW = 5  # names in a sentence

BEST_FIRST = (Result.CREATED, Result.RECOVERED, Result.UPDATED, Result.ADOPTED, Result.UNCHANGED)
"""Of several types, the request's result is the first of these that one of them has."""

OF_A_MADE_THING = {How.CREATED: Result.CREATED, How.RECOVERED: Result.RECOVERED, How.UPDATED: Result.UPDATED}


def succeeded(run: Run, now: float) -> Outcome:
    """Everything is as it shall be, or as it may be. ``now``, here and below: when it is settled (Unix seconds)."""
    types = _types(run, None)
    results = {each.result for each in types}
    return _outcome(run.record, next(each for each in BEST_FIRST if each in results), now, types=types)


def failed(record: RequestRecord, fault: Problem, now: float, run: Run | None = None) -> Outcome:
    """What is missing is not there, and this request will not make it."""
    types = _types(run, Result.FAILED) if run else ()
    return _outcome(record, Result.FAILED, now, problem=fault, types=types)


def unresolved(
    record: RequestRecord, request: ProvisioningRequest, cause: str, now: float, run: Run | None = None
) -> Outcome:
    """It is not known; says what a person must look for, and where."""
    names = ", ".join(repr(spec.name) for spec in request.types[:FEW]) + ("" if len(request.types) <= FEW else ", …")
    what = "a type named" if len(request.types) == 1 else "the types named"
    fields = " with all of their fields" if any(spec.fields for spec in request.types) else ""
    detail = (
        f"{cause} Please look in Close, organisation of tenant {record.tenant!r}, Settings > Custom Objects, for "
        f"{what} {names}{fields}. What is there, a new request takes as it is (if_exists 'adopt') or completes "
        "('update'). If there are two of something, delete the one without data first. If something is not there, send "
        "a new request tomorrow."
    )
    types = _types(run, Result.UNRESOLVED) if run else ()
    return _outcome(record, Result.UNRESOLVED, now, problem=problem(Kind.UNRESOLVED, detail), types=types)


def exists(run: Run) -> Problem | None:
    """With if_exists 'fail': that somebody else made one of the types, if somebody did."""
    there = [each.existing for each in _plans(run) if each.mode is Mode.REFUSE and each.existing]
    if not there:
        return None
    names = ", ".join(f"{each.name!r} ({each.id})" for each in there[:FEW]) + ("" if len(there) <= FEW else ", …")
    what = "a type" if len(there) == 1 else "types"
    return problem(Kind.TYPE_EXISTS, f"The organisation has {what} named {names}, and if_exists is 'fail'.")


def blocked(run: Run) -> Problem | None:
    """That something is blocked, if it is; nothing was written then."""
    found = run.plan.blocked if run.plan else ()
    if not found or run.request.allow_partial:
        return None
    told = "; ".join(
        f"{each.field} is {each.actual!r} and shall be {each.wanted!r}: {each.why}" for each in found[:FEW]
    )
    more = f"; and {len(found) - FEW} more" if len(found) > FEW else ""
    return problem(Kind.BLOCKED, f"{told}{more}. With allow_partial, the rest is done all the same.")


def _plans(run: Run) -> Iterable[TypePlan]:
    """Of a run that did not come to plan, what earlier ones of the same request made is told all the same."""
    if run.plan:
        return run.plan.types
    if not any(lease.was_changed_by(run.record.id) for lease in run.leases.values()):
        return ()
    units = (type_unit(run.record.tenant, spec.natural_key) for spec in run.request.types)
    return [TypePlan(spec, unit, None, Mode.MAKE) for spec, unit in zip(run.request.types, units, strict=True)]


def _types(run: Run, without: Result | None) -> tuple[TypeOutcome, ...]:
    """``without``: the result of what could not be finished; None when all was."""
    return tuple(_type(run, each, without) for each in _plans(run))


def _type(run: Run, plan: TypePlan, without: Result | None) -> TypeOutcome:
    lease = run.leases[plan.unit]
    actual = run.types.get(plan.unit)
    shown, left_out = actual.shown() if actual else (None, ())
    return TypeOutcome(
        name=plan.spec.name,
        id=_id(run, plan.unit, ITSELF),
        result=_result(run, plan, lease, without),
        custom_object_type=shown,
        left_out=left_out,
        fields=tuple(_field(run, plan, each) for each in plan.spec.fields),
        steps=tuple(_steps(run, plan)),
        differences=plan.differences,
        blocked=plan.blocked,
        also_found=plan.also_found,
    )


def _result(run: Run, plan: TypePlan, lease: Lease, without: Result | None) -> Result:
    made = run.made(lease, ITSELF)
    if made:
        return OF_A_MADE_THING[made.how]
    if without and (plan.existing is None or plan.mode is Mode.REFUSE):
        return without
    if any(run.made(lease, thing) for thing in lease.made) or any(_shared_steps(run, plan)):
        return Result.UPDATED
    if without and (plan.steps or plan.blocked):
        return without
    return Result.ADOPTED if plan.differences or plan.blocked else Result.UNCHANGED


def _field(run: Run, plan: TypePlan, spec: FieldSpec) -> FieldOutcome:
    """A shared field counts as made when it was, or when it was associated with the type."""
    things = _things(plan, spec)
    ids = [close_id for unit, thing in things if (close_id := _id(run, unit, thing))]
    made = [
        found for unit, thing in things for at in (thing, update_of(thing)) if (found := run.made(run.leases[unit], at))
    ]
    results = {OF_A_MADE_THING[each.how] for each in made}
    prefix = field_path(spec.name)
    if any(each.field.startswith(f"{prefix}/") for each in plan.blocked):
        result: Any = "blocked"
    elif results:
        result = next(each for each in BEST_FIRST if each in results)
    elif spec.natural_key not in plan.fields:
        result = "missing"
    else:
        differs = any(each.field.startswith(f"{prefix}/") for each in plan.differences)
        result = Result.ADOPTED if differs else Result.UNCHANGED
    return FieldOutcome(name=spec.name, id=ids[-1] if ids else None, result=result)


def _id(run: Run, unit: Unit, thing: str) -> str | None:
    made = run.made(run.leases[unit], thing)
    return run.ids.get((unit, thing)) or (made.close_id if made else None)


def _things(plan: TypePlan, spec: FieldSpec) -> list[tuple[Unit, str]]:
    of_type = (plan.unit, thing_of(spec))
    return [(shared_unit(plan.unit.tenant, spec.natural_key), ITSELF), of_type] if spec.shared else [of_type]


def _steps(run: Run, plan: TypePlan) -> Iterable[str]:
    """What this request did, in the order of the spec."""
    itself = run.leases[plan.unit]
    yield from _told(run, itself, ITSELF, f"type {plan.spec.name}")
    for spec in plan.spec.fields:
        for unit, thing in _things(plan, spec):
            what = f"shared field {spec.name}" if unit.kind is UnitKind.SHARED_FIELD else f"field {spec.name}"
            yield from _told(run, run.leases[unit], thing, f"association of {what}" if is_association(thing) else what)
    if run.made(itself, ORDER):
        yield "put the fields in order"


def _shared_steps(run: Run, plan: TypePlan) -> Iterable[str]:
    for spec in plan.spec.fields:
        for unit, thing in _things(plan, spec):
            if unit != plan.unit:
                yield from _told(run, run.leases[unit], thing, spec.name)


def _told(run: Run, lease: Lease, thing: str, what: str) -> Iterable[str]:
    for at in (thing, update_of(thing)):
        if made := run.made(lease, at):
            yield f"{OF_A_MADE_THING[made.how]} {what}"


def _outcome(record: RequestRecord, result: Result, now: float, **more: Any) -> Outcome:
    return Outcome(
        tenant=record.tenant,
        request_id=record.request_id,
        result=result,
        attempts=record.waits + 1,
        settled_at=datetime.fromtimestamp(now, UTC).isoformat(),
        **more,
    )
