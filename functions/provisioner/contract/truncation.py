"""An outcome cut down to the room that there is for it: in a ledger's item beside its request, and in an event."""

import json
from collections.abc import Callable

from provisioner.contract.outcome import Outcome, TypeOutcome

MAX_KEPT_BYTES = 120_000
"""Of an outcome in the ledger. DynamoDB takes items of 400 KB, of which the request's body may be 256 KiB."""

MAX_EVENT_BYTES = 60_000
"""Of an outcome in an event, so that the whole event stays below 64 KB."""

MAX_NAMES = 10

type Reduction = Callable[[TypeOutcome], TypeOutcome]

REDUCTIONS: tuple[tuple[str, Reduction], ...] = (
    ("the types as Close returned them", lambda each: each.model_copy(update={"custom_object_type": None})),
    ("steps", lambda each: each.model_copy(update={"steps": each.steps[:MAX_NAMES]})),
    ("fields", lambda each: each.model_copy(update={"fields": each.fields[:MAX_NAMES]})),
    ("differences", lambda each: each.model_copy(update={"differences": each.differences[:MAX_NAMES]})),
    ("what is blocked", lambda each: each.model_copy(update={"blocked": each.blocked[:MAX_NAMES]})),
    ("further types by a name", lambda each: each.model_copy(update={"other_matches": each.other_matches[:MAX_NAMES]})),
    ("steps and fields", lambda each: each.model_copy(update={"steps": (), "fields": ()})),
    ("differences and what is blocked", lambda each: each.model_copy(update={"differences": (), "blocked": ()})),
)
"""What is left out, one after the other, until it fits."""


def for_ledger(outcome: Outcome) -> Outcome:
    """What the ledger keeps of it."""
    return _fitted(outcome, MAX_KEPT_BYTES, "could not be kept")


def for_event(outcome: Outcome, request_key: str) -> Outcome:
    """What an event says of it."""
    return _fitted(outcome, MAX_EVENT_BYTES, f"is shown by GET /v1/provisioning-requests/{request_key}")


def _fitted(outcome: Outcome, limit: int, rest: str) -> Outcome:
    omitted: list[str] = []
    fitted = outcome
    if _size(fitted) > limit and fitted.plan:
        fitted, omitted = fitted.model_copy(update={"plan": None}), ["the new plan"]
    for name, cut in REDUCTIONS:
        if _size(fitted) <= limit:
            break
        omitted.append(name)
        fitted = fitted.model_copy(update={"types": tuple(map(cut, fitted.types))})
    if _size(fitted) > limit:
        omitted.append(f"{len(fitted.types) - MAX_NAMES} types")
        fitted = fitted.model_copy(update={"types": fitted.types[:MAX_NAMES]})
    if not omitted:
        return outcome
    note = f"Too large for here: {', '.join(omitted)}. What is left out {rest}."
    return fitted.model_copy(update={"note": " ".join(filter(None, (outcome.note, note)))})


def _size(outcome: Outcome) -> int:
    return len(json.dumps(outcome.shown()))  # in ASCII, as it is sent
