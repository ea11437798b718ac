"""Renders the templates: one place that knows what every page shares."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from close_provisioner.console.after_form import Notice, Notices
from close_provisioner.console.command_lines import CommandLines
from close_provisioner.console.foreign_text import foreign
from close_provisioner.console.moods import mood
from close_provisioner.visible import visible

FOLDER = Path(__file__).resolve().parent
ROOMS = (
    ("/", "Overview"),
    ("/requests", "Requests"),
    ("/tenants", "Tenants"),
    ("/types", "Types"),
    ("/dead-letters", "Dead-letter queue"),
    ("/sources", "Sources"),
)
PLAN_MARKS = {"+": "added", "~": "changed", "!": "missing"}


def _utc(moment: str | datetime) -> str:
    """Return a time as the attribute ``datetime`` takes it."""
    if isinstance(moment, str):
        return moment
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _visible_json(document: Mapping[str, Any] | None) -> str:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "\n".join(map(visible, text.split("\n")))


def _visible_lines(text: str) -> str:
    return visible(text, keep="\n\t")


def _plan_mark(line: str) -> str:
    return PLAN_MARKS.get(line.strip()[:1], "")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        foreign=foreign,
        visible=visible,
        mood=mood,
        utc=_utc,
        visible_json=_visible_json,
        visible_lines=_visible_lines,
        plan_mark=_plan_mark,
    )
    return environment


@dataclass(frozen=True, slots=True)
class Pages:
    """The templates, with the stack that they are about."""

    stack_name: str
    allow_changes: bool
    commands: CommandLines
    notices: Notices = field(default_factory=Notices)
    environment: Environment = field(default_factory=_environment)

    def __post_init__(self) -> None:
        self.environment.filters["commands"] = self.commands.within

    def fragment(self, template: str, **values: Any) -> str:
        """Return a part of a page as HTML."""
        return self.environment.get_template(template).render(values, allow_changes=self.allow_changes)

    def page(
        self,
        template: str,
        room: str,
        *,
        status: int = HTTPStatus.OK,
        live: str = "",
        notice: Notice | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Return a whole page. ``live``: the query of the event stream that keeps it up to date."""
        shared = {"rooms": ROOMS, "room": room, "stack_name": self.stack_name, "live": live, "notice": notice}
        shared |= {"program": self.commands.program, "stack_option": self.commands.stack}
        return HTMLResponse(self.fragment(template, **shared, **values), status)
