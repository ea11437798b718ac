"""Pages of requests, newest first: the answer to "what happened?"."""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from provisioner.ledger.request_lists import ListedRequest, RequestLists
from provisioner.operate.call import Answer, Call
from provisioner.operate.request_filter import Position, RequestFilter, State, parse_filter

MAX_LOOKED_AT = 5000  # requests for one page, when a filter takes few of them
MARGIN_SECONDS = 5  # left to answer in when a page ends for lack of time
SMALL_READ, LARGE_READ = 10, 500  # entries of one key at once: without a filter, and with one


class RequestPages(NamedTuple):
    """The pages. ``clock`` returns Unix seconds."""

    lists: RequestLists
    retention_days: int
    clock: Callable[[], float]

    def page(self, call: Call) -> Answer:
        """Return one page of summaries, and the cursor of the next.

        A page ends early when its filter takes few of many requests: it may then be empty, and has a next one.
        """
        now = self.clock()
        asked_for = parse_filter(call.query, now - self.retention_days * 86_400, now, call.path.get("tenant"))
        unfinished = self.lists.unfinished()
        shown: list[Answer] = []
        for looked_at, each in enumerate(filter(asked_for.is_later, self._newest(asked_for)), 1):
            if asked_for.takes(each, state := state_of(each, unfinished)):
                shown.append(summary(each, state))
            if len(shown) == asked_for.limit or looked_at == MAX_LOOKED_AT or call.time_left() < MARGIN_SECONDS:
                return {"data": shown, "next": Position(*each.position).as_cursor()}
        return {"data": shown, "next": None}

    def _newest(self, asked_for: RequestFilter) -> Iterator[ListedRequest]:
        if asked_for.span.until < asked_for.span.since:
            return iter(())
        is_filtered = asked_for.states or asked_for.results or asked_for.problems or asked_for.sources
        if asked_for.tenant is not None:
            return self.lists.of_tenant(
                asked_for.tenant, asked_for.span, LARGE_READ if is_filtered else asked_for.limit + 1
            )
        return self.lists.of_all(asked_for.span, LARGE_READ if is_filtered else max(asked_for.limit // 4, SMALL_READ))


def state_of(request: ListedRequest, unfinished: Collection[str]) -> State:
    """Return the state. ``unfinished``: the ids of requests whose outcome is not announced."""
    if request.result is None:
        return State.WAITING
    return State.SETTLED if request.id in unfinished else State.ANNOUNCED


def summary(request: ListedRequest, state: State) -> Answer:
    """Return what lists show of a request."""
    is_waiting = state is State.WAITING
    return {
        "tenant": request.tenant,
        "request_id": request.request_id,
        "id": request.id,
        "state": state,
        "result": request.result,
        "problem": request.problem,
        "entry_point": request.entry_point,
        "requested_by": request.requested_by,
        "what": request.label,
        "accepted_at": rfc3339(request.accepted_at),
        "settled_at": rfc3339(request.settled_at),
        "attempts": request.deferrals + (0 if is_waiting else 1),
        "deferrals": request.deferrals,
        "waits_because": request.pending_reason if is_waiting else None,
        "next_at": rfc3339(request.next_at) if is_waiting else None,
        "retry_of": request.retry_of,
        "retried_as": request.retried_as,
    }


def rfc3339(moment: float | None) -> str | None:
    """Return the time (Unix seconds) in UTC with milliseconds."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
