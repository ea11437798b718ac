"""Tells a request's history as a list of events: each with its time, in one line."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from close_provisioner.client.requests import Attempt, CloseCall, History, lost_before
from close_provisioner.console.timeline import span


class Event(NamedTuple):
    """One line of the story."""

    at: datetime
    text: str
    is_call: bool = False


def story(shown: History) -> list[Event]:
    """Return the events from the acceptance to the outcome."""
    events = [Event(datetime.fromisoformat(shown.accepted_at), f"accepted, {_sender(shown)}")]
    for attempt in shown.history:
        events.extend(_of_attempt(attempt))
    if shown.settled_at:
        problem = "" if shown.problem in {None, shown.result} else f", {shown.problem}"
        settled = f"settled: {shown.result}{problem}"
        events.append(Event(datetime.fromisoformat(shown.settled_at), settled))
    return sorted(events, key=lambda each: each.at)


def _of_attempt(attempt: Attempt) -> Iterator[Event]:
    started = datetime.fromisoformat(attempt.started_at)
    yield Event(started, f"attempt {attempt.attempt}" + (f", {attempt.entry_point}" if attempt.entry_point else ""))
    if lost := lost_before(attempt):
        yield Event(started, lost)
    elapsed = timedelta()
    for call in attempt.calls:
        yield Event(started + elapsed, call_line(call), is_call=True)
        elapsed += timedelta(milliseconds=call.ms or 0)
    if attempt.seconds is not None:
        ended = started + timedelta(milliseconds=attempt.ms or 0)
        yield Event(
            max(ended, started + elapsed), f"waits {span(attempt.seconds)}: {attempt.reason or ''}".rstrip(": ")
        )


def call_line(call: CloseCall) -> str:
    """Return one call at Close in one line."""
    status = call.status if call.status is not None else "no answer"
    return (
        f"{call.method} {call.path} → {status}, {span((call.ms or 0) / 1000)}{f', {call.error}' if call.error else ''}"
    )


def _sender(shown: History) -> str:
    by = f" by {shown.requested_by}" if shown.requested_by else ""
    return f"sent over {shown.entry_point or 'an unknown entry point'}{by}"
