"""The service at a glance: recent results, the tenants in trouble, the requests and messages that wait."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from provisioner import __version__
from provisioner.ledger.request_lists import ListedRequest, RequestLists, Span
from provisioner.ledger.store import Ledger
from provisioner.messaging.backlog import Backlog
from provisioner.operate.call import Answer, Call, only_known
from provisioner.operate.request_pages import rfc3339

HOUR, DAY = 3600, 86_400
MAX_LOOKED_AT = 20_000  # requests of a day; more are counted in the metrics
MAX_READ_ONE_BY_ONE = 100  # unfinished requests that are older than a day
MARGIN_SECONDS = 8


class Status(NamedTuple):
    """The parts that the status is put together from. ``clock`` returns Unix seconds."""

    lists: RequestLists
    ledger: Ledger
    backlog: Backlog
    clock: Callable[[], float]

    def show(self, call: Call) -> Answer:
        only_known(call.query, ())
        now = self.clock()
        day = list(self._of(Span(now - DAY, now), call.time_left))
        return {
            "version": __version__,
            "region": os.environ.get("AWS_REGION"),
            "last_hour": _by_result(each for each in day if each.accepted_at > now - HOUR),
            "last_day": _by_result(day),
            "unfinished": self._unfinished(day),
            "by_problem": _by_problem(day),
            "queue": {"depth": self.backlog.depth("queue")},
            "dead_letters": {name: self.backlog.depth(name) for name in self.backlog.urls if name != "queue"},
        }

    def _of(self, span: Span, time_left: Callable[[], float]) -> Iterable[ListedRequest]:
        for each in islice(self.lists.of_all(span, 500), MAX_LOOKED_AT):
            if time_left() < MARGIN_SECONDS:
                return
            yield each

    def _unfinished(self, day: Iterable[ListedRequest]) -> Answer:
        unfinished = self.lists.unfinished()
        known = {each.id: each.accepted_at for each in day}
        older = islice(sorted(unfinished - known.keys()), MAX_READ_ONE_BY_ONE)
        found = [record.accepted_at for each in older if (record := self.ledger.find(each))]
        accepted = [*found, *(known[each] for each in unfinished & known.keys())]
        return {"count": len(unfinished), "oldest_accepted_at": rfc3339(min(accepted)) if accepted else None}


def _by_result(requests: Iterable[ListedRequest]) -> Mapping[str, int]:
    return Counter(each.result or "waiting" for each in requests)


def _by_problem(requests: Iterable[ListedRequest]) -> list[Answer]:
    """Return the problems of requests that no retry has taken up, those of most requests first."""
    found: dict[tuple[str, str], list[float]] = {}
    for each in requests:
        if each.problem and not each.retried_as:
            found.setdefault((each.problem, each.tenant), []).append(each.accepted_at)
    rows = sorted(found.items(), key=lambda row: (-len(row[1]), row[0]))
    return [
        {"problem": problem, "tenant": tenant, "count": len(times), "since": rfc3339(min(times))}
        for (problem, tenant), times in rows
    ]
