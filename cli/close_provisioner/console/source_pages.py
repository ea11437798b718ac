"""The page of sources: whether each can be used, its address, and an event to send to the local stack."""

from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from close_provisioner.client.service import Service
from close_provisioner.client.sources import Source
from close_provisioner.console.after_form import Notice
from close_provisioner.console.page import Pages
from close_provisioner.errors import CommandError
from close_provisioner.stack.example_events import ExampleEvents, Sent

ROOM = "Sources"
OFFERED = 20  # names of tenants that the form for an event offers


@dataclass(frozen=True, slots=True)
class SourcePages:
    """The pages of one stack. ``events``: the project's signed example events, for a local stack."""

    service: Service
    pages: Pages
    events: ExampleEvents | None = field(default=None)

    def list(self, request: Request) -> Response:
        """Show every source of the deployed version, with its last deliveries."""
        sources, latest = self.service.sources.with_latest()
        known, _ = self.service.tenants.page(OFFERED) if self.events else ([], None)
        return self.pages.page(
            "sources.html",
            ROOM,
            notice=self.pages.notices.of(request),
            sources=[_row(each, self.service.stack.api_url) for each in sources],
            fixtures=self.events.names() if self.events else {},
            names=[each.tenant for each in known],
            requests=latest,
            filtered=False,
        )

    async def check(self, request: Request) -> Response:
        """Test a source with its stored secret. Nothing is provisioned."""
        try:
            report = await run_in_threadpool(self.service.sources.check, request.path_params["source"])
        except CommandError as error:
            return HTMLResponse(self.pages.fragment("_checks.html", error=str(error)))
        return HTMLResponse(
            self.pages.fragment("_checks.html", error=None, ready=report.ready, checks=report.checks, organization="")
        )

    async def send(self, request: Request) -> Response:
        """Send one of the project's events to the local stack, as its sender would."""
        form = await request.form()
        source = request.path_params["source"]
        if self.events is None:
            notice = Notice("bad", "Events are sent to a local stack only: a deployed one has its senders' own.")
        else:
            event, tenant = str(form.get("event", "")), str(form.get("tenant", ""))
            notice = _notice(await run_in_threadpool(self.events.send, source, event, tenant))
        return self.pages.notices.show("/sources", notice)


def _notice(sent: Sent) -> Notice:
    kind = ("good" if sent.result else "wait") if sent.succeeded else "bad"
    text = " → ".join(filter(None, (sent.response, sent.result))) or "The event was not sent."
    return Notice(kind, text, sent.text, f"/requests/{sent.request}" if sent.request else "")


def _row(source: Source, api_url: str) -> dict[str, Any]:
    return {
        "source": source.source,
        "url": f"{api_url.rstrip('/')}{source.path}",
        "is_open": bool(source.secret_stored) and source.fault is None,
        "about": source.fault or _about(source),
    }


def _about(source: Source) -> str:
    if not source.secret_stored:
        return f"closed: no signing secret is stored. Store one: close-provisioner sources add {source.source}"
    parts = [f"{source.active_secrets or 0} active secret{'' if source.active_secrets == 1 else 's'}"]
    if source.accepted_last_day is not None:
        parts.append(f"{source.accepted_last_day} accepted in the last day")
    return ", ".join(parts)
