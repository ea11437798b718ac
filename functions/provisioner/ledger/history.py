"""The history of a request: one entry for each attempt, added by the write that ends the attempt. Pure.

An entry holds no body, no header, no query and no credential: paths of Close's API, statuses, times, and the reason to
wait, which is text of this service. An attempt that was killed, or that failed unexpectedly, writes nothing and has no
entry: the next one counts it.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

MAX_ATTEMPTS = 20
MAX_CALLS = 40  # of one attempt
MAX_BYTES = 32_768  # of all entries
MAX_REASON = 300
MAX_PATH = 120

ITEM_BYTES = 409_600
OUTCOME_BYTES = 140_000  # of an item: the largest outcome, and everything else but body and history

type CloseCall = tuple[str, str, int | None, int, str | None]
"""A call to Close: its method, path and status, the milliseconds that it took, and the error if it has no status."""


class Invocation(NamedTuple):
    """The invocation of a function that works on a request.

    ``interrupted``: how many invocations received the same message before and did not end it: they were killed, or
    failed unexpectedly.
    """

    entry_point: str | None = None
    lambda_request_id: str | None = None
    trace_id: str | None = None
    interrupted: int = 0


class Run(NamedTuple):
    """An attempt that is under way. ``calls`` grows with each call to Close. Times are Unix seconds."""

    started_at: float
    number: int
    invocation: Invocation
    calls: Sequence[CloseCall]


class Attempt(NamedTuple):
    """An attempt that ended: ``settled`` or ``deferred``, then for which reason and how many seconds.

    ``omitted``: how many calls are not shown.
    """

    started_at: float
    ms: int
    number: int
    ended: str
    reason: str | None
    seconds: float | None
    invocation: Invocation
    calls: Sequence[CloseCall] = ()
    omitted: int = 0


class Ending(NamedTuple):
    """The end of an attempt. ``how``: settled or deferred. ``seconds``: the wait, ``now``: Unix seconds."""

    now: float
    how: str
    reason: str | None = None
    seconds: float | None = None


def addition(
    run: Run | None, entries: Sequence[str], body: str, ending: Ending
) -> tuple[str, dict[str, Sequence[str]]]:
    """Return the assignment of an update that adds the attempt to the history, and its values.

    An entry is appended, so that two runs at once lose none. Only a history that is full is written as a whole.
    """
    if run is None:
        return "", {}
    entry = ended(run, ending)
    if fits(entries, entry, body):
        return ", history = list_append(if_not_exists(history, :none), :attempt)", {":none": (), ":attempt": (entry,)}
    return ", history = :history", {":history": latest(entries, entry, body)}


def ended(run: Run, ending: Ending) -> str:
    """Return the entry of the attempt."""
    now, how, reason, seconds = ending
    entry = [
        *(round(run.started_at, 3), round((now - run.started_at) * 1000), run.number, how),
        *(reason and reason[:MAX_REASON], seconds and round(seconds, 3), *run.invocation[:3]),
        [_call_text(each) for each in run.calls[:MAX_CALLS]],
        max(len(run.calls) - MAX_CALLS, 0),
        *([run.invocation.interrupted] if run.invocation.interrupted else []),
    ]
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


def parse(entry: str) -> Attempt:
    """Return the attempt of an entry."""
    started_at, ms, number, how, reason, seconds, *rest = json.loads(entry)
    entry_point, request_id, trace_id, calls, omitted, interrupted = [*rest, 0][:6]  # a newer version may append
    invocation = Invocation(entry_point, request_id, trace_id, interrupted)
    shown = tuple(_call(each) for each in calls)
    return Attempt(started_at, ms, number, how, reason, seconds, invocation, shown, omitted)


def fits(entries: Sequence[str], entry: str, body: str) -> bool:
    """Return whether one more entry is within the bounds. ``body``: that of the request, in the same item."""
    return len(entries) < MAX_ATTEMPTS and _bytes(entries) + len(entry.encode()) <= _room(body)


def latest(entries: Sequence[str], entry: str, body: str) -> list[str]:
    """Return the newest entries that fit, the new one included if it does."""
    kept = [*entries, entry][-MAX_ATTEMPTS:]
    while kept and _bytes(kept) > _room(body):
        kept.pop(0)
    return kept


def _bytes(entries: Sequence[str]) -> int:
    return sum(len(each.encode()) + 1 for each in entries)


def _room(body: str) -> int:
    return min(MAX_BYTES, ITEM_BYTES - OUTCOME_BYTES - len(body))  # a body is ASCII


def _call_text(call: CloseCall) -> str:
    method, path, status, ms, error = call
    return f"{method} {path.partition('?')[0][:MAX_PATH]} {ms} {status or error}"


def _call(text: str) -> CloseCall:
    method, path, ms, answer = text.split(" ", 3)
    return method, path, int(answer) if answer.isdecimal() else None, int(ms), None if answer.isdecimal() else answer
