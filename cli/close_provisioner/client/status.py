"""The state of the whole stack on one page, with typed answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from close_provisioner.client.answers import Answer
from close_provisioner.client.requests import Summary
from close_provisioner.client.transport import Transport


class Unfinished(Answer):
    """The requests without a published outcome."""

    count: int = 0
    oldest_accepted_at: str | None = None


class Trouble(Answer):
    """The failed requests of one tenant with one problem. ``newest``: the caller's id of the newest."""

    problem: str
    tenant: str
    count: int
    since: str | None = None
    newest: str | None = None


class QueueState(Answer):
    """The provisioning queue."""

    depth: int = 0
    oldest_seconds: float | None = None


class Minute(Answer):
    """The requests that were accepted in one minute, by result."""

    minute: str
    results: Mapping[str, int] = {}


class Status(Answer):
    """The stack at a glance. ``last_hour``, ``last_day``: requests by result. ``latest``: the newest of the day."""

    version: str
    region: str | None = None
    last_hour: Mapping[str, int] = {}
    last_day: Mapping[str, int] = {}
    by_minute: tuple[Minute, ...] = ()
    latest: tuple[Summary, ...] = ()
    unfinished: Unfinished = Unfinished()
    by_problem: tuple[Trouble, ...] = ()
    queue: QueueState = QueueState()
    dead_letters: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class StatusPage:
    """The status of one stack."""

    transport: Transport

    def now(self) -> Status:
        return Status.read(self.transport.get("status"))
