"""The page of dead-letter messages, grouped by cause, and the actions on them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from close_provisioner.client.dead_letters import DeadLetter, Moved
from close_provisioner.client.service import Service
from close_provisioner.console.after_form import Notice, to
from close_provisioner.console.page import Pages
from close_provisioner.console.request_pages import edited_body
from close_provisioner.errors import Misused, Refused

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

    def list(self, request: Request) -> Response:
        """Show the messages. Looking at them hides none from other readers."""
        return self._show(self.pages.notices.of(request), {})

    async def redrive(self, request: Request) -> Response:
        """Send messages to the queue again, and say what was done."""
        ids = (await request.form()).getlist("id")
        moved = await run_in_threadpool(self.service.dead_letters.redrive, {"ids": ids}, REASON)
        return self.pages.notices.show("/dead-letters", _notice(moved, "sent again"))

    async def drop(self, request: Request) -> Response:
        """Delete messages, and say what was done."""
        ids = [str(each) for each in (await request.form()).getlist("id")]
        moved = await run_in_threadpool(self.service.dead_letters.drop, ids, REASON)
        return self.pages.notices.show("/dead-letters", _notice(moved, "dropped"))

    async def send_edited(self, request: Request) -> Response:
        """Send the edited body as a new request, drop the message, and go to the request.

        A body that is refused stays in its form, with the reason above.
        """
        text, message = str((await request.form()).get("body", "")), request.path_params["message"]
        try:
            sent = await run_in_threadpool(self.service.requests.submit, edited_body(text))
        except (Misused, Refused) as error:
            return await run_in_threadpool(self._show, Notice("bad", str(error)), {message: text})
        await run_in_threadpool(self.service.dead_letters.drop, [message], f"sent as {sent.id}")
        return to(f"/requests/{sent.id}")

    def _show(self, notice: Notice | None, edited: Mapping[str, str]) -> Response:
        """Show the page. ``edited``: the bodies by message that were refused."""
        groups, status = grouped(self.service.dead_letters.all()), HTTPStatus.BAD_REQUEST if edited else HTTPStatus.OK
        return self.pages.page("dead_letters.html", ROOM, status=status, notice=notice, groups=groups, edited=edited)


def grouped(messages: Iterable[DeadLetter]) -> list[Group]:
    """Return the messages by cause, the largest group first."""
    by_cause = sorted(messages, key=lambda each: each.cause)
    groups = [Group(cause, tuple(each)) for cause, each in groupby(by_cause, key=lambda each: each.cause)]
    return sorted(groups, key=lambda each: -len(each.messages))


def _notice(moved: Moved, done: str) -> Notice:
    parts = [f"{len(moved.done)} {done}: {', '.join(moved.done)}"] if moved.done else []
    parts += [f"{each.id} was kept: {each.reason}" for each in moved.kept]
    parts += [f"{each} is no longer there" for each in moved.missing]
    return Notice("bad" if moved.kept or moved.missing else "good", "; ".join(parts or [f"none {done}"]) + ".")
