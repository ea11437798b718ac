"""The systems under test: each has all functions of the service, or some of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, Protocol

import tests.simulation.paths  # noqa: F401 - before the service is imported
from provisioner.aws import make_clients
from provisioner.handlers.api import Api
from provisioner.handlers.events import Events
from provisioner.handlers.operator import Operator
from provisioner.handlers.sweeper import Sweeper
from provisioner.handlers.webhooks import Webhooks
from provisioner.handlers.worker import Worker
from provisioner.ingest.ingest import Ingest
from provisioner.service import Service
from provisioner.settings import Settings
from tests.simulation import aws
from tests.simulation.close_transport import BASE_URL

TABLE = "ledger"
SECRET_PREFIX = "close-provisioner/tenants"
SOURCE_SECRET_PREFIX = "close-provisioner/sources"
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/provisioning"
DEAD_LETTER_QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters"
LIST_LAG_SECONDS = 60
LEASE_SECONDS = 90
MAX_RECEIVES = 5

type Items = Mapping[str, Mapping[str, Any]]
type TimeLeft = Callable[[], float]


class ExecutionEnvironment(Protocol):
    """One execution environment: keeps what it has in memory from one invocation to the next."""

    def api(self, event: Mapping[str, Any], time_left: TimeLeft) -> Mapping[str, Any]: ...

    def worker(self, records: Sequence[Mapping[str, Any]], time_left: TimeLeft) -> Mapping[str, Any]: ...

    def sweeper(self, time_left: TimeLeft) -> object: ...

    def webhooks(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        raise LookupError("This system has no such function; leave out the scenario with `cannot`.")

    def operator(self, event: Mapping[str, Any], time_left: TimeLeft) -> Mapping[str, Any]:
        raise LookupError("This system has no such function; leave out the scenario with `cannot`.")

    def events(self, event: Mapping[str, Any]) -> bool:
        """Whether it took the event; else it is to be handed over again."""
        raise LookupError("This system has no such function; leave out the scenario with `cannot`.")


class SystemUnderTest(Protocol):
    """``modules``: prefixes of the names of its modules, whose looks at the clock are calls, too.

    ``promises``: whether it makes those of the service, and is held to them. ``cannot``: scenarios that ask for
    something that it does not offer.
    """

    name: str
    modules: tuple[str, ...]
    has_guarantees: bool
    cannot: frozenset[str]

    def start(self) -> ExecutionEnvironment: ...

    def unfinished(self, items: Items) -> bool:
        """Whether its table says that something is still to be done."""

    def pauses(self, items: Items) -> Mapping[str, float]:
        """Until when (Unix seconds) which tenant is to be left alone, as its table says."""

    def patches(self, now: Callable[[], float]) -> AbstractContextManager[None]:
        """Where it looks at the clock past ``time``; ``now`` gives Unix seconds."""


class CloseProvisioner:
    """The service."""

    name = "Close Provisioner"
    modules: tuple[str, ...] = ("provisioner",)
    has_guarantees = True
    cannot: frozenset[str] = frozenset()

    def start(self) -> ExecutionEnvironment:
        return _ServiceEnvironment()

    def unfinished(self, items: Items) -> bool:
        return any("unfinished" in item for item in items.values())

    def pauses(self, items: Items) -> Mapping[str, float]:
        """By the tenant, or by Close's id of its organization: until when Close must not be called (Unix seconds)."""
        paused = {pk.partition("#")[2]: item for pk, item in items.items() if "not_before" in item}
        return {name: float(item["not_before"]["N"]) for name, item in paused.items()}

    def patches(self, now: Callable[[], float]) -> AbstractContextManager[None]:
        return nullcontext()


def settings() -> Settings:
    return Settings(
        ledger_table_name=TABLE,
        provisioning_queue_url=QUEUE_URL,
        dead_letter_queue_url=DEAD_LETTER_QUEUE_URL,
        events_dead_letter_queue_url=f"{DEAD_LETTER_QUEUE_URL}-events",
        outcomes_topic_arn=aws.TOPIC,
        tenant_secret_prefix=SECRET_PREFIX,
        tenant_wait_days=3,
        source_secret_prefix=SOURCE_SECRET_PREFIX,
        event_source="urn:close-provisioner:test",
        close_api_url=BASE_URL,
        close_timeout_seconds=20,
        list_lag_seconds=LIST_LAG_SECONDS,
        observation_max_age_seconds=60,
        lease_seconds=LEASE_SECONDS,
        fallback_delay_seconds=30,
        wait_limit_seconds=21_600,
        max_receives=MAX_RECEIVES,
        request_retention_days=90,
    )


class _ServiceEnvironment(ExecutionEnvironment):
    """Its parts are made when they are first needed, with the clock of the world that it was started in."""

    @cached_property
    def _service(self) -> Service:
        return Service.from_settings(settings(), clock=time.time)

    @cached_property
    def _webhooks(self) -> Webhooks:
        return Webhooks.from_settings(settings(), clock=time.time)

    @cached_property
    def _events(self) -> Events:
        return Events(Ingest.from_settings(settings(), make_clients(), time.time), SECRET_PREFIX)

    def api(self, event: Mapping[str, Any], time_left: TimeLeft) -> Mapping[str, Any]:
        return Api(self._service).answer(event, time_left)

    def worker(self, records: Sequence[Mapping[str, Any]], time_left: TimeLeft) -> Mapping[str, Any]:
        return Worker(self._service).work(records, time_left)

    def sweeper(self, time_left: TimeLeft) -> object:
        return Sweeper(self._service).sweep(time_left)

    @cached_property
    def _operator(self) -> Operator:
        return Operator.of(self._service, make_clients())

    def operator(self, event: Mapping[str, Any], time_left: TimeLeft) -> Mapping[str, Any]:
        return self._operator.answer(event, time_left)

    def webhooks(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._webhooks.answer(event)

    def events(self, event: Mapping[str, Any]) -> bool:
        try:
            self._events.handle(event)
        except Exception:  # noqa: BLE001 - a failed invocation, as Lambda reports it
            return False
        return True
