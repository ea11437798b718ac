"""Truncate an outcome to the size limits of the ledger and of events, the ids and results of types last of all.

Close's own words may be long: up to 50 errors of 600 characters, each of up to 12 bytes in an event. So a problem has a
share of the room only, and never displaces the report on a type that was created.
"""

import json
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from provisioner.contract.errors import Problem
from provisioner.contract.outcome import Outcome, TypeOutcome
from provisioner.contract.request import request_key
from provisioner.contract.strict_model import StrictModel

MAX_STORED_BYTES = 120_000
"""The largest outcome in the ledger. A DynamoDB item holds 400 KB, and the request's body may take 256 KiB of it."""

MAX_EVENT_BYTES = 60_000
"""The largest outcome in an event, which keeps the whole event below 64 KB."""

PROBLEM_SHARE = 4  # at least a quarter of the room
MAX_CHARACTER_BYTES = 12  # of an emoji in ASCII JSON: two escapes
PROBLEM_FRAME_BYTES = 1000  # of the texts in a problem that are this service's own, and of its keys
NOTE_BYTES = 1000  # of the note, which is added last
MAX_NAME = 60  # characters of a name, where even the names do not fit


class Room(NamedTuple):
    """The bytes that an outcome may take, as ``measure`` counts them, and where its omitted parts are."""

    limit: int
    measure: Callable[[StrictModel], int]
    where: str


type Cut = tuple[Outcome, Sequence[str]]
"""An outcome without some of its parts, and these parts in words."""


def for_ledger(outcome: Outcome) -> Outcome:
    """Return the outcome to store. Parts omitted here are lost, and its note says so."""
    return _truncated(outcome, Room(MAX_STORED_BYTES, _stored_bytes, "They were not stored."))


def for_event(outcome: Outcome, event_id: str) -> Outcome:
    """Return the outcome to publish. Its note says where the stored outcome is, if it is that of a request."""
    is_stored = event_id == request_key(outcome.tenant, outcome.request_id)
    where = f"GET /v1/provisioning-requests/{event_id} shows them." if is_stored else "They were not stored."
    return _truncated(outcome, Room(MAX_EVENT_BYTES, _sent_bytes, where))


def _truncated(outcome: Outcome, room: Room) -> Outcome:
    cut = noted = outcome
    omitted: list[str] = []
    for step in (_shorten_problem, _omit_copies, _omit_details, _shorten_names, _omit_types):
        if room.measure(noted) <= room.limit:
            break
        cut, parts = step(cut, room)
        omitted += parts
        noted = _with_note(cut, omitted, room.where) if omitted else cut
    return noted


def _shorten_problem(outcome: Outcome, room: Room) -> Cut:
    """Omit the last errors of a problem that is larger than its share, and the end of a detail that is.

    Its share is a quarter of the room, or more where the rest of the outcome leaves more.
    """
    problem, rest = outcome.problem, room.measure(outcome.model_copy(update={"problem": None}))
    share = max(room.limit // PROBLEM_SHARE, room.limit - rest - NOTE_BYTES)
    if problem is None or room.measure(problem) <= share:
        return outcome, ()
    shortened = _with_short_detail(problem.model_copy(update={"errors": ()}), room, share)
    ends = accumulate((room.measure(each) + 2 for each in problem.errors), initial=room.measure(shortened))
    kept = max(sum(end <= share for end in ends) - 1, 0)
    parts = ["the end of the problem's detail"] if shortened.detail != problem.detail else []
    if kept < len(problem.errors):
        parts.append(f"{len(problem.errors) - kept} of {len(problem.errors)} errors of the problem")
    shortened = shortened.model_copy(update={"errors": problem.errors[:kept]})
    return outcome.model_copy(update={"problem": shortened}), parts


def _with_short_detail(problem: Problem, room: Room, share: int) -> Problem:
    if room.measure(problem) <= share:
        return problem
    characters = (share - PROBLEM_FRAME_BYTES) // MAX_CHARACTER_BYTES
    return problem.model_copy(update={"detail": f"{problem.detail[:characters]}…"})


def _omit_copies(outcome: Outcome, _: Room) -> Cut:
    parts = ["the plan"] if outcome.plan is not None else []
    if any(each.custom_object_type is not None for each in outcome.types):
        parts.append("the types as Close returned them")
    types = tuple(each.model_copy(update={"custom_object_type": None}) for each in outcome.types)
    return outcome.model_copy(update={"plan": None, "types": types}), parts


def _omit_details(outcome: Outcome, _: Room) -> Cut:
    types = tuple(TypeOutcome(name=each.name, id=each.id, result=each.result) for each in outcome.types)
    parts = ["all of the types but names, ids and results"] if types != outcome.types else []
    return outcome.model_copy(update={"types": types}), parts


def _shorten_names(outcome: Outcome, _: Room) -> Cut:
    long = sum(len(each.name) > MAX_NAME for each in outcome.types)
    types = tuple(
        each.model_copy(update={"name": f"{each.name[:MAX_NAME]}…"}) if len(each.name) > MAX_NAME else each
        for each in outcome.types
    )
    return outcome.model_copy(update={"types": types}), [f"the ends of {long} names"] if long else []


def _omit_types(outcome: Outcome, room: Room) -> Cut:
    """Omit the last types, whose ids Close made longer than any that is known."""
    types = list(outcome.types)
    while types and room.measure(outcome.model_copy(update={"types": tuple(types)})) > room.limit - NOTE_BYTES:
        types.pop()
    omitted = len(outcome.types) - len(types)
    return outcome.model_copy(update={"types": tuple(types)}), [f"the last {omitted} types"] if omitted else []


def _with_note(outcome: Outcome, omitted: Sequence[str], where: str) -> Outcome:
    *others, last = omitted
    listed = f"{', '.join(others)} and {last}" if others else last
    note = " ".join(filter(None, (outcome.note, f"Truncated to fit, without {listed}. {where}")))
    return outcome.model_copy(update={"note": note})


def _sent_bytes(model: StrictModel) -> int:
    return len(json.dumps(model.model_dump(mode="json")))  # in ASCII


def _stored_bytes(model: StrictModel) -> int:
    """Return the bytes of ``Outcome.to_json``, and of a part of it."""
    document = model.model_dump(mode="json", exclude={"entry_point", "requested_by"})
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
