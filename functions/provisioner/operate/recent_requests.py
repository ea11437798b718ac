"""The requests of the last day and those that are unfinished, kept in memory between two calls of a function.

An open console asks again and again. Each call reads only what is new, and the requests that were waiting at the call
before and are not any more: its costs do not grow with the ledger. The day is read as a whole every five minutes, for
later changes (a request that was retried, a tenant that was forgotten).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from provisioner.ledger import items
from provisioner.ledger.request_lists import ListedRequest, RequestLists, Span, listed
from provisioner.ledger.store import Ledger

DAY = 86_400
MAX_KNOWN = 20_000  # requests of a day; more are counted in the metrics
MAX_READ_ONE_BY_ONE = 100  # in one call
WHOLE_SECONDS = 300
LATE_SECONDS = 60  # an index shows a write that late at most
LATEST = 12  # requests whose reason to wait is up to date
MARGIN_SECONDS = 8
FIRST_PAGE, LARGE_PAGE = 25, 500  # entries of one key at once: of what is new, and of a whole day


class Recent(NamedTuple):
    """The requests of the last day, newest first. One that waits has no result.

    ``unfinished``: the ids of the requests, of any age, whose outcome is not announced. ``waiting``: those of them that
    were read.
    """

    requests: list[ListedRequest]
    unfinished: set[str]
    waiting: list[ListedRequest]


@dataclass(slots=True)
class RecentRequests:
    """The memory. It raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB fails."""

    lists: RequestLists
    ledger: Ledger
    _known: dict[str, ListedRequest] = field(default_factory=dict)
    _read_until: float = 0
    _whole_at: float = 0

    def read(self, now: float, time_left: Callable[[], float]) -> Recent:
        """Return what the ledger holds now (Unix seconds). With too little time left, the older part is missing."""
        unfinished = self.lists.unfinished()
        if not self._whole_at <= now < self._whole_at + WHOLE_SECONDS:
            self._known, self._read_until, self._whole_at = {}, 0, now
        self._read_new(now, time_left)
        self._read_settled(unfinished)
        self._read_older(unfinished)
        self._read_items([each.id for each in self._newest(now)[:LATEST] if each.result is None])
        day = self._newest(now)
        waiting = [self._known[each] for each in unfinished & self._known.keys()]
        self._known = {each.id: each for each in (*day, *waiting)}
        return Recent(day, unfinished, waiting)

    def _newest(self, now: float) -> list[ListedRequest]:
        of_day = (each for each in self._known.values() if each.accepted_at > now - DAY)
        return sorted(of_day, key=lambda each: each.position, reverse=True)[:MAX_KNOWN]

    def _read_new(self, now: float, time_left: Callable[[], float]) -> None:
        since = max(now - DAY, self._read_until - LATE_SECONDS)
        found = self.lists.of_all(Span(since, now), FIRST_PAGE if self._read_until else LARGE_PAGE)
        self._read_until = now
        for each in islice(found, MAX_KNOWN):
            if time_left() < MARGIN_SECONDS:
                self._whole_at = 0  # the next call reads the rest
                return
            self._known[each.id] = each

    def _read_settled(self, unfinished: set[str]) -> None:
        """Read the requests that waited at the last call, and are announced by now."""
        waited = [each.id for each in self._known.values() if each.result is None and each.id not in unfinished]
        if len(waited) > MAX_READ_ONE_BY_ONE:
            self._whole_at = 0
        self._read_items(waited)

    def _read_older(self, unfinished: set[str]) -> None:
        """Read the unfinished requests that are older than a day: each is read once, and then known."""
        self._read_items(sorted(unfinished - self._known.keys()))

    def _read_items(self, request_keys: list[str]) -> None:
        for each in request_keys[:MAX_READ_ONE_BY_ONE]:
            item = self.ledger.get(items.request_item_key(each))
            if item:
                self._known[each] = listed(item)
            else:
                self._known.pop(each, None)  # it was deleted


def unsolved(requests: Sequence[ListedRequest]) -> Iterator[ListedRequest]:
    """Yield the failed requests that need a person: of a request and its retries the newest, if none succeeded.

    ``requests``: newest first. A family of which one waits, or whose retry is not among them, needs no person yet.
    """
    known = {each.id: each for each in requests}
    families: dict[str, list[ListedRequest]] = {}
    for each in requests:
        families.setdefault(_first_of(each, known), []).append(each)
    for family in families.values():
        if all(each.problem and (not each.retried_as or each.retried_as in known) for each in family):
            yield family[0]


def _first_of(request: ListedRequest, known: Mapping[str, ListedRequest]) -> str:
    """Return the id of the request that this one retries, or retries a retry of, and so on."""
    while request.retry_of and request.retry_of in known:
        request = known[request.retry_of]
    return request.retry_of or request.id


def from_sources(requests: list[ListedRequest]) -> Iterator[tuple[str, ListedRequest]]:
    """Yield the requests that came from senders of webhooks, each with the name of its source."""
    for each in requests:
        kind, _, name = (each.requested_by or "").partition(":")
        if kind == "source":
            yield name, each
