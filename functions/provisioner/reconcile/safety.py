"""The rules that decide whether a write may be sent. Pure: each rule is tested as a table.

Three checks guard every write: the plan may be executed, the create may be sent, the update may be sent.
"""

from collections.abc import Mapping

from provisioner.contract.errors import ProblemType, Rejected, RetryLater
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.in_doubt import (
    IN_DOUBT_RETENTION_SECONDS,
    InDoubt,
    latest_landing,
    next_observation,
    sent_since,
)
from provisioner.ledger.lease import ResourceKey, ResourceRecord
from provisioner.ledger.models import RequestRecord
from provisioner.reconcile.plan import Action, Plan, Step, TypeAction, is_association

MAX_UNACKNOWLEDGED_CREATES = 2  # a create whose response was lost is sent once more
MAX_INTENTS = 4  # lease holders that died may not have sent their create, so more are allowed
MAX_NAMES = 5  # in one sentence


class Indeterminate(Rejected):
    """The responses of all permitted creates of a resource were lost, and Close does not show the resource."""


def objection(
    plan: Plan, request: ProvisioningRequest, record: RequestRecord, records: Mapping[ResourceKey, ResourceRecord]
) -> Rejected | None:
    """Return the reason why the plan must not be executed, or None."""
    return _stale(plan, request, record, records) or _exists(plan) or _blocked(plan, request)


def _stale(
    plan: Plan, request: ProvisioningRequest, record: RequestRecord, records: Mapping[ResourceKey, ResourceRecord]
) -> Rejected | None:
    """Reject a plan that differs from the planned one, unless the request's own writes may have changed it."""
    has_written = record.has_begun or any(each.was_written_by(record.id) for each in records.values())
    if request.plan_digest in {None, plan.digest} or has_written:
        return None
    return Rejected(
        ProblemType.PLAN_STALE, "Close or the request changed since the plan was made. Plan the request again."
    )


def may_have_written(record: RequestRecord, records: Mapping[ResourceKey, ResourceRecord]) -> bool:
    """Whether a write of the request is known, or may have been sent by a run of it that was killed."""
    written = (each.was_written_by(record.id) or each.may_have_created(record.id) for each in records.values())
    return record.has_begun or any(written)


def _exists(plan: Plan) -> Rejected | None:
    existing = [each.existing for each in plan.types if each.action is TypeAction.REJECT and each.existing]
    if not existing:
        return None
    names = ", ".join(f"{each.name!r} ({each.id})" for each in existing[:MAX_NAMES])
    more = "" if len(existing) <= MAX_NAMES else ", …"
    what = "a type" if len(existing) == 1 else "types"
    return Rejected(
        ProblemType.TYPE_EXISTS, f"The organization has {what} named {names}{more}, and if_exists is 'fail'."
    )


def _blocked(plan: Plan, request: ProvisioningRequest) -> Rejected | None:
    blocked = plan.blocked
    if not blocked or request.allow_partial:
        return None
    reasons = "; ".join(each.described for each in blocked[:MAX_NAMES])
    more = f"; and {len(blocked) - MAX_NAMES} more" if len(blocked) > MAX_NAMES else ""
    return Rejected(ProblemType.BLOCKED, f"{reasons}{more}. Set allow_partial to apply everything else.")


def check_create(record: ResourceRecord, step: Step, observed_at: float, lag: float) -> None:
    """Check that absence is conclusive, so that the create may be sent.

    ``observed_at``: when Close was observed without the resource. Raises ``RetryLater`` while an earlier create may
    still become visible, ``Indeterminate`` when no further create is permitted.
    """
    in_doubt = record.in_doubt_about(step.operation)
    if moment := next_observation([*in_doubt, *_other_associations(record, step)], observed_at, lag):
        raise RetryLater("a create whose response was lost is not visible at Close yet", moment - observed_at)
    _check_look_alikes(step, observed_at)
    may_land = in_doubt and sent_since(in_doubt, observed_at - IN_DOUBT_RETENTION_SECONDS)
    sent = len(may_land)
    if sum(each.lost for each in may_land) >= MAX_UNACKNOWLEDGED_CREATES or sent >= MAX_INTENTS:
        detail = (
            f"Up to {sent} creates of {_described(step)} were sent, their responses were lost, and Close's list shows "
            "none of them."
        )
        raise Indeterminate(ProblemType.UNRESOLVED, detail)


def _other_associations(record: ResourceRecord, step: Step) -> list[InDoubt]:
    """The associations in doubt under other names: a renamed shared field has two."""
    if step.action is not Action.ASSOCIATE:
        return []
    return [each for operation, entries in record.in_doubt.items() if is_association(operation) for each in entries]


def _check_look_alikes(step: Step, observed_at: float) -> None:
    """Check that nothing may be the result of an earlier create in doubt, renamed by a person."""
    if not step.look_alikes:
        return
    if (wait := max(each.leased_until for each in step.look_alikes) - observed_at) > 0:
        raise RetryLater("another request may just have created what looks like this one's own, renamed", wait)
    found = ", ".join(f"{each.name!r} ({each.close_id})" for each in step.look_alikes[:MAX_NAMES])
    detail = (
        f"A create of {_described(step)} was sent or may have been sent, and its response was lost. Close shows "
        f"nothing of that name, but {found} was created at that time and is the same in everything but its name. "
        "It cannot be known whether a person renamed it, so nothing was created."
    )
    raise Indeterminate(ProblemType.UNRESOLVED, detail)


def check_update(record: ResourceRecord, step: Step, observed_at: float, lag: float) -> None:
    """Check that every earlier update of the same has taken effect: it must not undo this one.

    Raises ``RetryLater`` while one may still land whose response was lost or whose sender died. An update replaces the
    whole list of choices, so these must be current, too: it waits until the lists are sure to show the last change.
    """
    write = record.writes.get(step.operation)
    landed = [latest_landing(each.since, lag) for each in record.orphaned]
    landed += [write.at + (lag if "choices" in step.body else 0)] if write else []
    if landed and (wait := max(landed) - observed_at) > 0:
        raise RetryLater("an earlier change of the same may still take effect at Close, or not show there yet", wait)


def _described(step: Step) -> str:
    """Describe the resource that the step creates."""
    described = {
        Action.CREATE_TYPE: f"the type {step.name!r}",
        Action.CREATE_FIELD: f"the field {step.name!r} of the type {step.resource.name!r}",
        Action.CREATE_SHARED_FIELD: f"the shared field {step.name!r}",
        Action.ASSOCIATE: f"the association of the shared field {step.name!r} with the type {step.resource.name!r}",
    }
    return described[step.action]
