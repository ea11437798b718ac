"""An outcome cut down to the room that there is for it: in a ledger's item beside its request, and in an event."""

import json
from collections.abc import Callable

from provisioner.contract import Outcome, TypeOutcome

MAX_KEPT_BYTES = 120_000
"""Of an outcome in the ledger. DynamoDB takes items of 400 KB, of which the request's body may be 256 KiB."""

MAX_EVENT_BYTES = 60_000
"""Of an outcome in an event, so that the whole event stays below 64 KB."""

FEW = 10

type Cut = Callable[[TypeOutcome], TypeOutcome]

CUTS: tuple[tuple[str, Cut], ...] = (
    ("the types as Close returned them", lambda each: each.model_copy(update={"custom_object_type": None})),
    ("steps", lambda each: each.model_copy(update={"steps": each.steps[:FEW]})),
    ("fields", lambda each: each.model_copy(update={"fields": each.fields[:FEW]})),
    ("differences", lambda each: each.model_copy(update={"differences": each.differences[:FEW]})),
    ("what is blocked", lambda each: each.model_copy(update={"blocked": each.blocked[:FEW]})),
    ("further types by a name", lambda each: each.model_copy(update={"also_found": each.also_found[:FEW]})),
    ("steps and fields", lambda each: each.model_copy(update={"steps": (), "fields": ()})),
    ("differences and what is blocked", lambda each: each.model_copy(update={"differences": (), "blocked": ()})),
)
"""What is left out, one after the other, until it fits."""


def kept(outcome: Outcome) -> Outcome:
    """What the ledger keeps of it."""
    return _fitted(outcome, MAX_KEPT_BYTES, "could not be kept")


def told(outcome: Outcome, request_key: str) -> Outcome:
    """What an event says of it."""
    return _fitted(outcome, MAX_EVENT_BYTES, f"is shown by GET /v1/provisioning-requests/{request_key}")


def _fitted(outcome: Outcome, limit: int, rest: str) -> Outcome:
    left_out: list[str] = []
    fitted = outcome
    if _size(fitted) > limit and fitted.plan:
        fitted, left_out = fitted.model_copy(update={"plan": None}), ["the new plan"]
    for name, cut in CUTS:
        if _size(fitted) <= limit:
            break
        left_out.append(name)
        fitted = fitted.model_copy(update={"types": tuple(map(cut, fitted.types))})
    if _size(fitted) > limit:
        left_out.append(f"{len(fitted.types) - FEW} types")
        fitted = fitted.model_copy(update={"types": fitted.types[:FEW]})
    if not left_out:
        return outcome
    note = f"Too large for here: {', '.join(left_out)}. What is left out {rest}."
    return fitted.model_copy(update={"note": " ".join(filter(None, (outcome.note, note)))})


def _size(outcome: Outcome) -> int:
    return len(json.dumps(outcome.shown()))  # in ASCII, as it is sent
