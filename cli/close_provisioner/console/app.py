"""The console as an ASGI application: which page answers which address."""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from close_provisioner.client.alarms import alarms_that_are_on
from close_provisioner.client.service import Service
from close_provisioner.console.alarm_board import AlarmBoard
from close_provisioner.console.command_lines import CommandLines
from close_provisioner.console.dead_letter_pages import DeadLetterPages
from close_provisioner.console.guard import Guard
from close_provisioner.console.overview_page import OverviewPage
from close_provisioner.console.page import FOLDER, Pages
from close_provisioner.console.request_pages import RequestPages
from close_provisioner.console.source_pages import SourcePages
from close_provisioner.console.tenant_pages import TenantPages
from close_provisioner.errors import CommandError, Misused, NotAllowed, NotFound
from close_provisioner.stack.example_events import ExampleEvents

STATUSES: dict[type[CommandError], HTTPStatus] = {
    NotFound: HTTPStatus.NOT_FOUND,
    NotAllowed: HTTPStatus.FORBIDDEN,
    Misused: HTTPStatus.BAD_REQUEST,
}

type Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]


def make_app(
    service: Service, *, origin: str, token: str, allow_changes: bool, events: ExampleEvents | None = None
) -> ASGIApp:
    """Return the console of one stack. ``origin``: its own address; ``token``: the secret in its first URL."""
    pages = Pages(service.stack.name, allow_changes, CommandLines.of(service.stack))
    routes = [
        *_readings(service, pages, events),
        *(_changes(service, pages, events) if allow_changes else ()),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]
    handlers = {CommandError: _failed(pages), HTTPException: _unknown(pages)}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), origin, token)


def _readings(service: Service, pages: Pages, events: ExampleEvents | None) -> list[Route]:
    """The routes that change nothing."""
    requests, tenants = RequestPages(service, pages), TenantPages(service, pages)
    overview = OverviewPage(service, pages, AlarmBoard(partial(alarms_that_are_on, service.stack)))
    sources, messages = SourcePages(service, pages, events), DeadLetterPages(service, pages)
    return [
        Route("/", overview.show),
        Route("/live/overview", overview.live),
        Route("/requests", requests.list),
        Route("/live/requests", requests.live_list),
        Route("/requests/find", requests.find),
        Route("/requests/{key}", requests.one),
        Route("/live/requests/{key}", requests.live_one),
        Route("/requests/{key}/edit", requests.edit),
        Route("/requests/{key}/plan", requests.plan, methods=["POST"]),
        Route("/tenants", tenants.list),
        Route("/tenants/{tenant}", tenants.one),
        Route("/tenants/{tenant}/checks", tenants.check, methods=["POST"]),
        Route("/types", tenants.types),
        Route("/dead-letters", messages.list),
        Route("/sources", sources.list),
        Route("/sources/{source}/checks", sources.check, methods=["POST"]),
    ]


def _changes(service: Service, pages: Pages, events: ExampleEvents | None) -> list[Route]:
    """The routes that change something. A read-only console has none of them."""
    requests, messages = RequestPages(service, pages), DeadLetterPages(service, pages)
    changes: dict[str, Endpoint] = {
        "/requests/{key}/retries": requests.retry,
        "/requests/{key}/resolutions": requests.resolve,
        "/dead-letters/redrives": messages.redrive,
        "/dead-letters/drops": messages.drop,
        "/dead-letters/{message}/edits": messages.send_edited,
        "/sources/{source}/events": SourcePages(service, pages, events).send,
    }
    return [Route(path, endpoint, methods=["POST"]) for path, endpoint in changes.items()]


def _failed(pages: Pages) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the page of an error: its own sentence, which says what to do."""

    async def show(_request: Request, error: Exception) -> Response:
        status = next((each for kind, each in STATUSES.items() if isinstance(error, kind)), HTTPStatus.BAD_GATEWAY)
        return await run_in_threadpool(
            pages.page, "error.html", "", status=status, title="The stack gave no answer", text=str(error)
        )

    return show


def _unknown(pages: Pages) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def show(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        if request.url.path.startswith("/static/"):
            return PlainTextResponse("This file does not exist.\n", status)
        text = f"The console has no page {request.url.path}."
        if request.method == "POST" and not pages.allow_changes:
            text = "This console only reads. Start it with --allow-changes to change something."
        return await run_in_threadpool(pages.page, "error.html", "", status=status, title="No such page", text=text)

    return show
