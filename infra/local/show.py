"""What a person sees of a run: a table that grows by a row for whatever happens, and a summary.

Rows are only ever added, so it reads the same on a terminal, through a pipe and in a log.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from rich.console import Console
from rich.text import Text

from infra.local.example_requests import Exchange
from infra.local.outcomes_feed import Announcement

# Widths of: time, door, tenant, request, what. The rest of a row is free.
_COLUMNS = (8, 5, 9, 13, 24)
_INDENT = sum(_COLUMNS) + 2 * len(_COLUMNS) + 2
_COLOURS = {"created": "green", "recovered": "green", "updated": "green", "unchanged": "green", "adopted": "cyan"}


@dataclass(frozen=True, slots=True)
class Table:
    """Writes rows to a console as they come."""

    console: Console

    def head(self) -> None:
        self._row(("time", "door", "tenant", "request", "asked, or announced"), Text("what came of it"), "bold")

    def asked(self, exchange: Exchange) -> None:
        """A request that was sent, with the HTTP answer or that the queue has it."""
        example = exchange.example
        cells = (_clock(exchange.sent_at), example.door, example.tenant, exchange.request_id, example.asks)
        self._row(cells, self._answer(exchange))
        for line in (exchange.plan or "").rstrip().splitlines():
            self.console.print(
                Text(f"{'':{_INDENT}}{line}".rstrip(), _plan_colour(line)), soft_wrap=True, highlight=False
            )

    def announced(self, announcement: Announcement, exchange: Exchange | None) -> None:
        """An outcome that arrived from the topic; with the time since its example was sent."""
        tenant, request_id = announcement.concerns
        event = announcement.event["type"].removeprefix("close-provisioner.")
        outcome = Text(f"{announcement.data['result']:<10}", _colour(announcement.data["result"]))
        outcome.append(f" {_detail(announcement)}", "")
        if exchange:
            outcome.append(_milliseconds(exchange.sent_at, announcement.published_at), "dim")
        self._row((_clock(announcement.published_at), "topic", tenant, request_id, event), outcome)

    def _answer(self, exchange: Exchange) -> Text:
        if exchange.error:
            return Text(exchange.error, "red")
        if exchange.status is None:
            return Text("on the queue", "dim")
        colour = "green" if exchange.status < 300 else "yellow"
        text = Text(f"{exchange.status} {HTTPStatus(exchange.status).phrase}", colour)
        if "idempotency-replayed" in exchange.headers:
            text.append(", replayed", colour)
        if exchange.problem:
            text.append(f": {exchange.problem['title']}", "")
        if pointers := [each["pointer"] for each in exchange.problem.get("errors", [])]:
            text.append(f": {', '.join(pointers)}", "")
        text.append(_milliseconds(exchange.sent_at, exchange.answered_at), "dim")
        return text

    def _row(self, cells: Sequence[str], rest: Text, style: str = "") -> None:
        line = Text("  ")
        for cell, width in zip(cells, _COLUMNS, strict=True):
            line.append(f"{_short(cell, width):<{width}}  ", style)
        rest.stylize_before(style)
        self.console.print(line + rest, soft_wrap=True, highlight=False)


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


def _plan_colour(line: str) -> str:
    return {"+": "green", "~": "yellow", "!": "red"}.get(line.strip()[:1], "dim")


def _milliseconds(begin: float, end: float) -> str:
    return f"  {(end - begin) * 1000:.0f} ms"


def _colour(result: str) -> str:
    return _COLOURS.get(result, "red")


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
