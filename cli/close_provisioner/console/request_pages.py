"""The pages about requests: the list with its filters, one request, and the form to edit and retry."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from close_provisioner.client.requests import Filter, History, request_key
from close_provisioner.client.service import Service
from close_provisioner.console import timeline
from close_provisioner.console.after_form import Notice, to
from close_provisioner.console.events import story
from close_provisioner.console.live import END, Fragments, stream
from close_provisioner.console.page import Pages
from close_provisioner.errors import CommandError, Misused, Refused
from close_provisioner.visible import visible_json

ROOM = "Requests"
PAGE = 50
STATES = ("waiting", "settled", "announced")
RESULTS = ("created", "updated", "unchanged", "adopted", "recovered", "failed", "unresolved")
SPANS = {"": None, "1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}
FIELDS = ("tenant", "is", "source", "problem", "since")
KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class RequestPages:
    """The pages of one stack."""

    service: Service
    pages: Pages

    def list(self, request: Request) -> Response:
        """Show a page of requests. The filters are in its URL."""
        given = _given(request.query_params)
        refused = None
        try:
            shown, cursor = self.service.requests.page(_filter(given), PAGE, request.query_params.get("cursor"))
        except Refused as error:
            shown, cursor, refused = [], None, Notice("bad", str(error))
        filtered = {name: value for name, value in given.items() if value}
        first = "cursor" not in request.query_params
        return self.pages.page(
            "requests.html",
            ROOM,
            live=f"/requests?{urlencode(filtered)}" if first and not refused else "",
            notice=refused,
            requests=shown,
            filters=given,
            filtered=bool(filtered),
            choices=("", *STATES, *RESULTS),
            spans=SPANS,
            next=f"/requests?{urlencode({**filtered, 'cursor': cursor})}" if cursor else None,
            flags="".join(f" {flag}" for flag in _flags(given)),
        )

    def live_list(self, request: Request) -> StreamingResponse:
        """Send the first page of requests whenever it changes."""
        given = _given(request.query_params)

        def look() -> Fragments:
            shown, _ = self.service.requests.page(_filter(given), PAGE, None)
            return {"rows": self.pages.fragment("_requests.html", requests=shown, filtered=any(given.values()))}

        return stream(request, look)

    def find(self, request: Request) -> Response:
        """Go to the request with this id: 32 hex digits, or the tenant and the caller's id."""
        given = request.query_params.get("id", "").strip()
        tenant, slash, request_id = given.partition("/")
        if not slash and not KEY.fullmatch(given):
            raise Misused("An id is TENANT/REQUEST-ID, or the 32 hex digits that the service gave the request.")
        return to(f"/requests/{request_key(tenant, request_id) if slash else given}")

    def one(self, request: Request) -> Response:
        """Show one request: the reason for its state, its timeline, its body and its outcome."""
        shown = self._history(request)
        live = f"/requests/{shown.id}" if shown.state != "announced" else ""
        notice = self.pages.notices.of(request)
        return self.pages.page("request.html", ROOM, live=live, notice=notice, **self._values(shown))

    def live_one(self, request: Request) -> StreamingResponse:
        """Send the request whenever it changes, until its outcome is announced."""

        def look() -> Fragments:
            shown = self._history(request)
            parts = {"request": self.pages.fragment("_request.html", **self._values(shown))}
            return {**parts, END: ""} if shown.state == "announced" else parts

        return stream(request, look)

    def edit(self, request: Request) -> Response:
        """Show the body of a request in a form, with the plan of the edited body beside it."""
        shown = self._history(request)
        return self._edit(shown, visible_json(shown.body, indent=2), None)

    def _edit(self, shown: History, text: str, refused: CommandError | None) -> Response:
        """Show the form. ``refused``: the reason why the text was not sent."""
        status = HTTPStatus.BAD_REQUEST if refused else HTTPStatus.OK
        notice = Notice("bad", str(refused)) if refused else None
        return self.pages.page("edit.html", ROOM, status=status, notice=notice, shown=shown, text=text)

    async def plan(self, request: Request) -> Response:
        """Show what the edited body would do. Nothing is written."""
        form = await request.form()
        try:
            body = edited_body(str(form.get("body", "")))
            tenant = str(body.pop("tenant", "default"))
            body.pop("request_id", None)
            made = await run_in_threadpool(self.service.plans.make, tenant, body)
            values: dict[str, Any] = {"plan": made, "error": None, "is_partial": body.get("allow_partial") is True}
        except CommandError as error:
            values = {"plan": None, "error": str(error), "is_partial": False}
        return HTMLResponse(self.pages.fragment("_plan.html", **values))

    async def retry(self, request: Request) -> Response:
        """Send the request again under a new id, and go there. A body that is refused stays in its form."""
        form, key = await request.form(), request.path_params["key"]
        reason = str(form.get("reason") or "") or "retried in the console"
        try:
            body = edited_body(str(form["body"])) if "body" in form else None
            sent = await run_in_threadpool(self.service.requests.retry, key, reason, body)
        except (Misused, Refused) as error:
            if "body" in form:
                shown = await run_in_threadpool(self._history, request)
                return await run_in_threadpool(self._edit, shown, str(form["body"]), error)
            return self.pages.notices.show(f"/requests/{key}", Notice("bad", str(error)))
        return to(f"/requests/{sent.id}")

    async def resolve(self, request: Request) -> Response:
        """Record what a person saw in Close for an unresolved request, and show the request again."""
        form = await request.form()
        key, reason = request.path_params["key"], str(form.get("reason") or "") or "seen in Close"
        there = form.get("there") == "yes"
        try:
            await run_in_threadpool(lambda: self.service.requests.resolve(key, there=there, reason=reason))
        except Refused as error:
            return self.pages.notices.show(f"/requests/{key}", Notice("bad", str(error)))
        return to(f"/requests/{key}")

    def _values(self, shown: History) -> dict[str, Any]:
        may_succeed = shown.explanation is not None and "requests retry" in shown.explanation.next
        before = self.pages.commands.before(shown.problem, shown.tenant) if may_succeed else []
        return {**_values(shown), "may_succeed": may_succeed, "before": before}

    def _history(self, request: Request) -> History:
        return self.service.requests.history(request.path_params["key"])


def edited_body(text: str) -> dict[str, Any]:
    """Return the body of a form. Raises ``Misused`` with the place of the fault."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise Misused(f"The body is not JSON: {error}. Correct it and try again.") from None
    if not isinstance(body, dict):
        raise Misused("The body must be a JSON object.")
    return body


def _values(shown: History) -> dict[str, Any]:
    now = datetime.now(UTC)
    accepted = datetime.fromisoformat(shown.accepted_at)
    until = datetime.fromisoformat(shown.settled_at) if shown.settled_at else now
    return {
        "shown": shown,
        "explanation": shown.explanation,
        "has_failed": shown.result in {"failed", "unresolved"},
        "timeline": timeline.draw(shown.history, accepted, until),
        "events": story(shown),
        "body": shown.body,
        "outcome": shown.outcome.raw if shown.outcome else None,
    }


def _given(query: Mapping[str, str]) -> dict[str, str]:
    return {name: query.get(name, "").strip() for name in FIELDS}


def _filter(given: Mapping[str, str]) -> Filter:
    length = SPANS.get(given["since"])
    chosen = given["is"]
    return Filter(
        tenant=given["tenant"] or None,
        states=[chosen] if chosen in STATES else (),
        results=[chosen] if chosen in RESULTS else (),
        problems=[given["problem"]] if given["problem"] else (),
        sources=[given["source"]] if given["source"] else (),
        since=_ago(length) if length else None,
    )


def _ago(length: timedelta) -> str:
    return (datetime.now(UTC) - length).isoformat(timespec="milliseconds")


def _flags(given: Mapping[str, str]) -> list[str]:
    """Return the options of the command that shows the same list."""
    chosen = given["is"]
    options = {**given, "is": "", "state" if chosen in STATES else "result": chosen}
    return [f"--{name} {value}" for name, value in options.items() if value]
