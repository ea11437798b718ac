"""Truncate an outcome to the size limits of the ledger and of events. The result always stays complete."""

import json
from collections.abc import Sequence

from provisioner.contract.outcome import Outcome, TypeOutcome

MAX_STORED_BYTES = 120_000
"""The largest outcome in the ledger. A DynamoDB item holds 400 KB, and the request's body may take 256 KiB of it."""

MAX_EVENT_BYTES = 60_000
"""The largest outcome in an event, which keeps the whole event below 64 KB."""


def for_ledger(outcome: Outcome) -> Outcome:
    """Return the outcome to store. Parts omitted here are lost, and its note says so."""
    return _truncated(outcome, MAX_STORED_BYTES, "They were not stored.")


def for_event(outcome: Outcome, request_key: str) -> Outcome:
    """Return the outcome to publish. Its note says where the stored outcome is."""
    return _truncated(outcome, MAX_EVENT_BYTES, f"GET /v1/provisioning-requests/{request_key} shows them.")


def _truncated(outcome: Outcome, limit: int, where: str) -> Outcome:
    if _size(outcome) <= limit:
        return outcome
    reduced = [each.model_copy(update={"custom_object_type": None}) for each in outcome.types]
    truncated = _with(outcome, reduced, f"the plan and the types as Close returned them. {where}")
    if _size(truncated) <= limit:
        return truncated
    reduced = [TypeOutcome(name=each.name, id=each.id, result=each.result) for each in outcome.types]
    while _size(truncated := _with(outcome, reduced, f"all but names, ids and results. {where}")) > limit and reduced:
        reduced.pop()  # 25 types with names of 200 emoji
    return truncated


def _with(outcome: Outcome, types: Sequence[TypeOutcome], omitted: str) -> Outcome:
    note = " ".join(filter(None, (outcome.note, f"Truncated to fit, without {omitted}")))
    return outcome.model_copy(update={"types": tuple(types), "plan": None, "note": note})


def _size(outcome: Outcome) -> int:
    return len(json.dumps(outcome.as_json()))  # in ASCII, as it is sent
