"""What a person sees of a run: a table that grows by a row for whatever happens.

Rows are only ever added, so it reads as well through a pipe and in a log.
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

_AFTER_STATUS = len("201 ")
_AFTER_RESULT = len("unresolved ")
_COLORS = {"created": "green", "recovered": "green", "updated": "green", "unchanged": "green", "adopted": "cyan"}


@dataclass(frozen=True, slots=True)
class Table:
    """Writes rows to a screen as they come."""

    screen: Screen

    def head(self) -> None:
        names = ("time", "door", "tenant", "request", "asked, or announced")
        self.screen.row(names, Text("what came of it", "bold"), style="bold")

    def asked(self, exchange: Exchange) -> None:
        """A request that was sent, with the HTTP answer or that the queue has it."""
        example = exchange.example
        cells = (_clock(exchange.sent_at), example.door, example.tenant, exchange.request_id, example.asks)
        took = None if exchange.status is None else _milliseconds(exchange.sent_at, exchange.answered_at)
        self.screen.row(cells, self._answer(exchange), took=took, hang=_AFTER_STATUS)
        for line in (exchange.plan or "").rstrip().splitlines():
            self.screen.block(Text(line, _plan_color(line)))

    def announced(self, announcement: Announcement, exchange: Exchange | None) -> None:
        """An outcome that arrived from the topic; with the time since its example was sent."""
        tenant, request_id = announcement.concerns
        event = announcement.event["type"].removeprefix("close-provisioner.")
        result = announcement.data["result"]
        outcome = Text.assemble((f"{result:<{_AFTER_RESULT}}", _color(result)), _detail(announcement))
        took = _milliseconds(exchange.sent_at, announcement.published_at) if exchange else None
        cells = (_clock(announcement.published_at), "topic", tenant, request_id, event)
        self.screen.row(cells, outcome, took=took, hang=_AFTER_RESULT)

    def _answer(self, exchange: Exchange) -> Text:
        if exchange.error:
            return Text(exchange.error, "red")
        if exchange.status is None:
            return Text("on the queue", "dim")
        color = "green" if exchange.status < 300 else "yellow"
        text = Text().append(f"{exchange.status} {HTTPStatus(exchange.status).phrase}", color)
        if "idempotency-replayed" in exchange.headers:
            text.append(", replayed", color)
        if exchange.problem:
            text.append(f": {exchange.problem['title']}")
        if pointers := [each["pointer"] for each in exchange.problem.get("errors", [])]:
            text.append(f": {', '.join(pointers)}")
        return text


def _detail(announcement: Announcement) -> str:
    """The one thing about an outcome that somebody would want to know next."""
    data = announcement.data
    if problem := data.get("problem"):
        asked_of_close = problem.get("close_status")
        return str(problem["title"]) + (f" (Close: {asked_of_close})" if asked_of_close else "")
    types = data.get("types", [])
    if len(types) != 1:
        return ", ".join(f"{each['name']} {each['result']}{_fields(each)}" for each in types)
    [found] = types
    differences = ", ".join(each["field"] for each in found["differences"])
    return f"{found['id']}{_fields(found)}" + (f", differs in {differences}" if differences else "")


def _fields(found: Mapping[str, Any]) -> str:
    """How many of its fields there are of each result."""
    counts = Counter(each["result"] for each in found["fields"])
    return f" (fields: {', '.join(f'{number} {result}' for result, number in counts.items())})" if counts else ""


def _plan_color(line: str) -> str:
    return {"+": "green", "~": "yellow", "!": "red"}.get(line.strip()[:1], "dim")


def _milliseconds(begin: float, end: float) -> Text:
    return Text(f"  {(end - begin) * 1000:.0f} ms", "dim")


def _color(result: str) -> str:
    return _COLORS.get(result, "red")


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
