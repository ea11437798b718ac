"""The service at a glance: recent results, the tenants in trouble, the requests and messages that wait."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby, islice
from typing import NamedTuple

from provisioner import __version__
from provisioner.contract.errors import ProblemType
from provisioner.ledger.request_lists import ListedRequest
from provisioner.messaging.backlog import Backlog
from provisioner.operate.call import Answer, Call, only_known
from provisioner.operate.recent_requests import LATEST, Recent, RecentRequests, unsolved
from provisioner.operate.request_pages import rfc3339, state_of, summary

MINUTE, HOUR = 60, 3600
UNRESOLVED = ProblemType.UNRESOLVED.value[0]


class Status(NamedTuple):
    """The parts that the status is put together from. ``clock`` returns Unix seconds."""

    recent: RecentRequests
    backlog: Backlog
    clock: Callable[[], float]

    def show(self, call: Call) -> Answer:
        only_known(call.query, ())
        now = self.clock()
        seen = self.recent.read(now, call.time_left)
        hour = [each for each in seen.requests if each.accepted_at > now - HOUR]
        return {
            "version": __version__,
            "region": os.environ.get("AWS_REGION"),
            "last_hour": _by_result(hour),
            "last_day": _by_result(seen.requests),
            "by_minute": _by_minute(hour),
            "latest": [summary(each, state_of(each, seen.unfinished)) for each in islice(seen.requests, LATEST)],
            "unfinished": _unfinished(seen),
            "by_problem": _by_problem(seen.requests),
            "queue": {"depth": self.backlog.depth("queue")},
            "dead_letters": {name: self.backlog.depth(name) for name in self.backlog.urls if name != "queue"},
        }


def _unfinished(seen: Recent) -> Answer:
    oldest = min((each.accepted_at for each in seen.waiting), default=None)
    return {"count": len(seen.unfinished), "oldest_accepted_at": rfc3339(oldest)}


def _by_minute(requests: Iterable[ListedRequest]) -> list[Answer]:
    """Return the requests by result for each minute that has some. ``requests``: newest first."""
    minutes = groupby(requests, key=lambda each: int(each.accepted_at // MINUTE) * MINUTE)
    return [{"minute": rfc3339(minute), "results": _by_result(of_minute)} for minute, of_minute in minutes][::-1]


def _by_result(requests: Iterable[ListedRequest]) -> Mapping[str, int]:
    return Counter(each.result or "waiting" for each in requests)


def _by_problem(requests: list[ListedRequest]) -> list[Answer]:
    """Return the problems that no retry has solved: unresolved ones, then those of most requests.

    ``requests``: newest first.
    """
    found: dict[tuple[str, str], list[ListedRequest]] = {}
    for each in unsolved(requests):
        found.setdefault((str(each.problem), each.tenant), []).append(each)
    rows = sorted(found.items(), key=lambda row: (row[0][0] != UNRESOLVED, -len(row[1]), row[0]))
    return [
        {
            "problem": problem,
            "tenant": tenant,
            "count": len(of_kind),
            "since": rfc3339(of_kind[-1].accepted_at),
            "newest": of_kind[0].request_id,
        }
        for (problem, tenant), of_kind in rows
    ]
