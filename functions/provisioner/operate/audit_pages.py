"""Pages of what operators did, the newest first."""

from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from provisioner.ledger.actions import SECONDS_OF_A_DAY, Actions
from provisioner.operate.audit import shown
from provisioner.operate.call import Answer, Call, only_known, single
from provisioner.operate.request_filter import Position, limit_in, position_in, time_in

DEFAULT_DAYS = 30


class AuditPages(NamedTuple):
    """The pages. ``clock`` returns Unix seconds."""

    actions: Actions
    clock: Callable[[], float]

    def page(self, call: Call) -> Answer:
        """Return one page of actions, by default of the last 30 days, and the cursor of the next."""
        only_known(call.query, ("since", "limit", "cursor"))
        now = self.clock()
        limit, after = limit_in(single(call.query, "limit")), position_in(single(call.query, "cursor"))
        since = time_in(call.query, "since", now - DEFAULT_DAYS * SECONDS_OF_A_DAY)
        until = after.accepted_at if after else now
        newest = self.actions.newest(since, until, limit + 1)
        found = list(islice((each for each in newest if after is None or (each.at, each.id) < after), limit + 1))
        page = found[:limit]
        is_last = len(found) <= limit
        return {
            "data": [shown(each) for each in page],
            "next": None if is_last else Position(page[-1].at, page[-1].id).as_cursor(),
        }
