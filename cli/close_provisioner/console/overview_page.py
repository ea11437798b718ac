"""The first page: whether all is well, what needs a person, and what happens now."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from close_provisioner.client.service import Service
from close_provisioner.console import chart
from close_provisioner.console.alarm_board import AlarmBoard
from close_provisioner.console.live import Fragments, stream
from close_provisioner.console.page import Pages

HOUR = timedelta(hours=1)
KEPT_SECONDS = 60
"""How long the page begins with the last contents, until its stream sends those of now."""


@dataclass(slots=True)
class OverviewPage:
    """The page of one stack. It is shown at once with the last contents, which say of when they are."""

    service: Service
    pages: Pages
    alarms: AlarmBoard
    _last: dict[str, Any] = field(default_factory=dict)

    def show(self, _request: Request) -> Response:
        """Show the page."""
        last = self._last
        is_new = last and datetime.now(UTC) - last["read_at"] < timedelta(seconds=KEPT_SECONDS)
        return self.pages.page("overview.html", "Overview", live="/overview", **(last if is_new else self.look()))

    def live(self, request: Request) -> StreamingResponse:
        """Send the page's contents whenever they change."""

        def look() -> Fragments:
            return {"overview": self.pages.fragment("_overview.html", **self.look())}

        return stream(request, look)

    def look(self) -> dict[str, Any]:
        """Return the contents of now, and keep them for who opens the page next."""
        status, now = self.service.status.now(), datetime.now(UTC)
        counts = [chart.Minute(datetime.fromisoformat(each.minute), each.results) for each in status.by_minute]
        hour = status.last_hour
        alarms, no_alarms = self.alarms.now()
        self._last = {
            "read_at": now,
            "hour": {
                "total": sum(hour.values()),
                "failed": hour.get("failed", 0),
                "unresolved": hour.get("unresolved", 0),
            },
            "unfinished": status.unfinished,
            "queue_depth": status.queue.depth,
            "dead_letters": sum(status.dead_letters.values()),
            "problems": status.by_problem,
            "alarms": alarms,
            "no_alarms": no_alarms,
            "chart": chart.draw(counts, now.replace(second=0, microsecond=0) + timedelta(minutes=1), HOUR),
            "requests": status.latest,
            "filtered": False,
        }
        return self._last
