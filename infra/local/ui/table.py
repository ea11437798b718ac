"""The table of a run: one row for each request that was sent, and one for each outcome that was published.

Rows are only ever added, so that it reads the same in a pipe and in a log.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from rich.text import Text

from infra.local.examples.examples import Exchange
from infra.local.outcomes import Announcement
from infra.local.ui.screen import Screen

HEADINGS = ("time", "via", "tenant", "request id", "requested, or event")
_GOOD = {"created": "green", "recovered": "green", "updated": "green", "unchanged": "green", "adopted": "cyan"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that are printed to a screen as they come."""

    screen: Screen

    def head(self) -> None:
        self.screen.row(HEADINGS, Text("result", "bold"), Text(), style="bold")

    def requested(self, exchange: Exchange) -> None:
        """Print a request with its HTTP response, or as queued."""
        example = exchange.example
        cells = (_clock(exchange.sent_at), example.entry_point, example.tenant, exchange.request_id, example.subject)
        took = "" if exchange.status is None else _milliseconds(exchange.sent_at, exchange.responded_at)
        self.screen.row(cells, *_response(exchange), took=took)
        for line in (exchange.plan or "").rstrip().splitlines():
            self.screen.block(Text(line, _plan_color(line)))

    def announced(self, announcement: Announcement, exchange: Exchange | None) -> None:
        """Print an outcome that arrived from the topic, with the time since its request was sent."""
        tenant, request_id = announcement.concerns
        event = announcement.event["type"].removeprefix("close-provisioner.")
        result = announcement.data["result"]
        took = _milliseconds(exchange.sent_at, announcement.published_at) if exchange else ""
        cells = (_clock(announcement.published_at), "topic", tenant, request_id, event)
        self.screen.row(cells, Text(result, _GOOD.get(result, "red")), Text(_detail(announcement)), took=took)


def _response(exchange: Exchange) -> tuple[Text, Text]:
    if exchange.error:
        return Text("error", "red"), Text(exchange.error, "red")
    if exchange.status is None:
        return Text("queued", "dim"), Text()
    color = "green" if exchange.status < 300 else "yellow"
    text = Text(HTTPStatus(exchange.status).phrase, color)
    if "idempotency-replayed" in exchange.headers:
        text.append(", replayed", color)
    if exchange.problem:
        text.append(f": {exchange.problem['title']}", "default")
    if pointers := [each["pointer"] for each in exchange.problem.get("errors", [])]:
        text.append(f": {', '.join(pointers)}", "default")
    return Text(str(exchange.status), color), text


def _detail(announcement: Announcement) -> str:
    """Return the most useful facts of an outcome: the problem, or the types with their fields."""
    data = announcement.data
    if problem := data.get("problem"):
        close_status = problem.get("close_status")
        return str(problem["title"]) + (f" (Close: {close_status})" if close_status else "")
    types = data.get("types", [])
    if len(types) != 1:
        return ", ".join(f"{each['name']} {each['result']}{_fields(each)}" for each in types)
    [found] = types
    differences = ", ".join(each["field"] for each in found["differences"])
    return f"{found['id']}{_fields(found)}" + (f", differs in {differences}" if differences else "")


def _fields(found: Mapping[str, Any]) -> str:
    """Return the number of the type's fields for each result."""
    counts = Counter(each["result"] for each in found["fields"])
    return f" (fields: {', '.join(f'{number} {result}' for result, number in counts.items())})" if counts else ""


def _plan_color(line: str) -> str:
    return {"+": "green", "~": "yellow", "!": "red"}.get(line.strip()[:1], "dim")


def _milliseconds(begin: float, end: float) -> str:
    return f"{(end - begin) * 1000:.0f} ms"


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
