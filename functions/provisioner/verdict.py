"""What is said of a request: its outcome, from what was found, created, refused or given up. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from provisioner.contract import CustomObjectType, IfExists, Outcome, Problem, ProvisioningRequest, Result
from provisioner.errors import Kind, problem
from provisioner.plan import created_at, differences
from provisioner.records import Lease, RequestRecord

CLOCK_SKEW_SECONDS = 300  # between Close's clock and ours


def created(record: RequestRecord, actual: CustomObjectType, now: float) -> Outcome:
    """This request's create made it. ``now``, here and below: when it is settled (Unix seconds)."""
    return _outcome(record, Result.CREATED, now, **_shown(actual))


def taken(
    record: RequestRecord, request: ProvisioningRequest, lease: Lease, found: Sequence[CustomObjectType], now: float
) -> Outcome:
    """It was there: by this request's own create, or as something to adopt, or as a reason to fail."""
    actual, *others = found
    different = differences(request.custom_object_type, actual)
    # A killed holder of the lease may have found an old type, and not have created anything.
    is_old = created_at(actual) < record.accepted_at - CLOCK_SKEW_SECONDS
    if lease.made_by(record.id, actual.id) and not is_old:
        result = Result.RECOVERED
    elif request.if_exists is IfExists.FAIL:
        result = Result.FAILED
    else:
        result = Result.ADOPTED if different else Result.UNCHANGED
    fault = None
    if result is Result.FAILED:
        detail = f"The organisation has a type named {actual.name!r} ({actual.id}), and if_exists is 'fail'."
        fault = problem(Kind.TYPE_EXISTS, detail)
    also_found = tuple(each.id for each in others)
    return _outcome(record, result, now, **_shown(actual), differences=different, also_found=also_found, problem=fault)


def failed(record: RequestRecord, fault: Problem, now: float) -> Outcome:
    """Nothing was created by this request."""
    return _outcome(record, Result.FAILED, now, problem=fault)


def unresolved(record: RequestRecord, request: ProvisioningRequest, cause: str, now: float) -> Outcome:
    """It is not known; says what a person must look for, and where."""
    detail = (
        f"{cause} Please look in Close, organisation of tenant {record.tenant!r}, Settings > Custom Objects, for "
        f"a type named {request.custom_object_type.name!r}. If it is there, send a new request to adopt it; if "
        "there are two, delete the one without data first. If it is not there, send a new request tomorrow."
    )
    return _outcome(record, Result.UNRESOLVED, now, problem=problem(Kind.UNRESOLVED, detail))


def _shown(actual: CustomObjectType) -> dict[str, Any]:
    shown, left_out = actual.shown()
    return {"custom_object_type": shown, "left_out": left_out}


def _outcome(record: RequestRecord, result: Result, now: float, **more: Any) -> Outcome:
    return Outcome(
        tenant=record.tenant,
        request_id=record.request_id,
        result=result,
        attempts=record.waits + 1,
        settled_at=datetime.fromtimestamp(now, UTC).isoformat(),
        **more,
    )
