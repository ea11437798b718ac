"""The console as an ASGI application: which page answers which address."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from threading import Thread
from typing import Any

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
from close_provisioner.errors import CommandError, Misused, NotAllowed, NotFound, Refused
from close_provisioner.stack.example_events import ExampleEvents

PAGES_OF_ERRORS: dict[type[CommandError], tuple[HTTPStatus, str]] = {
    NotFound: (HTTPStatus.NOT_FOUND, "Not found"),
    NotAllowed: (HTTPStatus.FORBIDDEN, "Not allowed"),
    Misused: (HTTPStatus.BAD_REQUEST, "The input is not valid"),
    Refused: (HTTPStatus.BAD_REQUEST, "The service refused it"),
}
NO_ANSWER = (HTTPStatus.BAD_GATEWAY, "The stack gave no answer")

type Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]


def make_app(
    service: Service, *, origin: str, token: str, allow_changes: bool, events: ExampleEvents | None = None
) -> ASGIApp:
    """Return the console of one stack. ``origin``: its own address; ``token``: the secret in its first URL."""
    pages = Pages(service.stack.name, allow_changes, CommandLines.of(service.stack))
    overview = OverviewPage(service, pages, AlarmBoard(partial(alarms_that_are_on, service.stack)))
    routes = [
        *_readings(service, pages, events, overview),
        *(_changes(service, pages, events) if allow_changes else ()),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]
    handlers = {CommandError: _failed(pages), HTTPException: _unknown(pages)}
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=_looking_first(overview))
    return Guard(app, origin, token)


def _looking_first(overview: OverviewPage) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Read the first page's contents while the browser starts."""

    def look() -> None:
        with suppress(CommandError):  # the page will say it
            overview.look()

    @asynccontextmanager
    async def serving(_app: Starlette) -> AsyncIterator[None]:
        Thread(target=look, daemon=True).start()
        yield

    return serving


def _readings(service: Service, pages: Pages, events: ExampleEvents | None, overview: OverviewPage) -> list[Route]:
    """The routes that change nothing."""
    requests, tenants = RequestPages(service, pages), TenantPages(service, pages)
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

    async def show(request: Request, error: Exception) -> Response:
        found = (each for kind, each in PAGES_OF_ERRORS.items() if isinstance(error, kind))
        status, title = next(found, NO_ANSWER)
        may_repeat = request.method == "GET" and status is HTTPStatus.BAD_GATEWAY
        values: dict[str, Any] = {"title": title, "text": str(error), "may_repeat": may_repeat}
        return await run_in_threadpool(lambda: pages.page("error.html", "", status=status, **values))

    return show


def _unknown(pages: Pages) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def show(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        if request.url.path.startswith("/static/"):
            return PlainTextResponse("This file does not exist.\n", status)
        text = f"The console has no page {request.url.path}."
        if request.method == "POST" and not pages.allow_changes:
            text = "This console only reads. Start it with --allow-changes to change something."
        values: dict[str, Any] = {"title": "No such page", "text": text, "may_repeat": False}
        return await run_in_threadpool(lambda: pages.page("error.html", "", status=status, **values))

    return show
