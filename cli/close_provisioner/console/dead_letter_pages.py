"""The page of dead-letter messages, grouped by cause, and the actions on them."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from close_provisioner.client.dead_letters import DeadLetter, Moved
from close_provisioner.client.service import Service
from close_provisioner.console.page import Notice, Pages, to
from close_provisioner.console.request_pages import edited_body

ROOM = "Dead-letter queue"
REASON = "chosen in the console"


@dataclass(frozen=True, slots=True)
class Group:
    """The messages of one cause."""

    cause: str
    messages: tuple[DeadLetter, ...]

    @property
    def redrivable(self) -> list[DeadLetter]:
        return [each for each in self.messages if each.redrivable]


@dataclass(frozen=True, slots=True)
class DeadLetterPages:
    """The pages of one stack."""

    service: Service
    pages: Pages

    def list(self, _request: Request) -> Response:
        """Show the messages. Looking at them hides none from other readers."""
        return self._show(None)

    async def redrive(self, request: Request) -> Response:
        """Send messages to the queue again, and say what was done."""
        ids = (await request.form()).getlist("id")
        moved = await run_in_threadpool(self.service.dead_letters.redrive, {"ids": ids}, REASON)
        return await run_in_threadpool(self._show, _notice(moved, "sent again"))

    async def drop(self, request: Request) -> Response:
        """Delete messages, and say what was done."""
        ids = [str(each) for each in (await request.form()).getlist("id")]
        moved = await run_in_threadpool(self.service.dead_letters.drop, ids, REASON)
        return await run_in_threadpool(self._show, _notice(moved, "dropped"))

    async def send_edited(self, request: Request) -> Response:
        """Send the edited body as a new request, drop the message, and go to the request."""
        form = await request.form()
        sent = await run_in_threadpool(self.service.requests.submit, edited_body(str(form.get("body", ""))))
        await run_in_threadpool(self.service.dead_letters.drop, [request.path_params["message"]], f"sent as {sent.id}")
        return to(f"/requests/{sent.id}")

    def _show(self, notice: Notice | None) -> Response:
        groups = grouped(self.service.dead_letters.all())
        return self.pages.page("dead_letters.html", ROOM, notice=notice, groups=groups)


def grouped(messages: Iterable[DeadLetter]) -> list[Group]:
    """Return the messages by cause, the largest group first."""
    by_cause = sorted(messages, key=lambda each: each.cause)
    groups = [Group(cause, tuple(each)) for cause, each in groupby(by_cause, key=lambda each: each.cause)]
    return sorted(groups, key=lambda each: -len(each.messages))


def _notice(moved: Moved, done: str) -> Notice:
    parts = [f"{len(moved.done)} {done}"] if moved.done or not moved.kept else []
    parts += [f"{each.id} was kept: {each.reason}" for each in moved.kept]
    parts += [f"{each} is no longer there" for each in moved.missing]
    return Notice("bad" if moved.kept or moved.missing else "good", "; ".join(parts) + ".")
