"""The first page: whether all is well, what needs a person, and what happens now."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """The page of one stack."""

    service: Service
    pages: Pages
    alarms: AlarmBoard

    def show(self, _request: Request) -> Response:
        """Show the page."""
        return self.pages.page("overview.html", "Overview", live="/overview", **self._values())

    def live(self, request: Request) -> StreamingResponse:
        """Send the page's contents whenever they change."""

        def look() -> Fragments:
            return {"overview": self.pages.fragment("_overview.html", **self._values())}

        return stream(request, look)

    def _values(self) -> dict[str, Any]:
        status, now = self.service.status.now(), datetime.now(UTC)
        counts = [chart.Minute(datetime.fromisoformat(each.minute), each.results) for each in status.by_minute]
        hour = status.last_hour
        alarms, no_alarms = self.alarms.now()
        return {
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
