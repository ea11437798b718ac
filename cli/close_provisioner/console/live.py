"""Keeps a page up to date: asks the stack again and again, and sends what changed as server-sent events."""

from collections.abc import AsyncIterator, Callable, Mapping

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from close_provisioner.errors import CommandError

PAUSE_SECONDS = 1.0
"""Between two looks at the stack. An open page looks once a second, also while nothing changes."""

END = "end"
"""The event after which nothing changes any more: the stream ends, and the browser opens no other."""

type Fragments = Mapping[str, str]


def stream(request: Request, look: Callable[[], Fragments]) -> StreamingResponse:
    """Return the stream of a page. ``look`` returns the page's parts as HTML, by event name."""
    return StreamingResponse(_events(request, look), media_type="text/event-stream")


async def _events(request: Request, look: Callable[[], Fragments]) -> AsyncIterator[str]:
    sent: dict[str, str] = {}
    yield ": open\n\n"
    while not await request.is_disconnected():
        try:
            fragments = await run_in_threadpool(look)
        except CommandError:
            return  # the browser says that the connection is lost, and connects again
        for name, html in fragments.items():
            if sent.get(name) != html:
                sent[name] = html
                yield event(name, html)
        if END in fragments:
            return
        await anyio.sleep(PAUSE_SECONDS)


def event(name: str, html: str) -> str:
    """Return one event. Each line of its data needs a prefix. One without a line of data would not be heard."""
    return "\n".join([f"event: {name}", *(f"data: {line}" for line in html.splitlines() or [""]), "", ""])
