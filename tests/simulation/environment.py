"""The simulated environment of the service: its dependencies, its callers, and the invocation of its functions.

One process, one simulated clock. The service's code is the real one, with real botocore and httpx clients; patches.py
says where the simulation begins. A process that is killed loses all that it had in memory.
"""

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from infra.simulator.control.organizations import add_key, revoke
from tests.simulation import aws, patches, strict, webhook_senders
from tests.simulation.clock import SimulatedClock
from tests.simulation.close_transport import CloseFailures, CloseTransport
from tests.simulation.fault import Case
from tests.simulation.labels import aws_label, close_label
from tests.simulation.network import Invocation, InvocationKilled, Network
from tests.simulation.queues import SimulatedMessage, SimulatedQueue
from tests.simulation.system_under_test import (
    DEAD_LETTER_QUEUE_URL,
    MAX_RECEIVES,
    QUEUE_URL,
    SECRET_PREFIX,
    SOURCE_SECRET_PREFIX,
    TABLE,
    ExecutionEnvironment,
    SystemUnderTest,
)

TIMEOUT_SECONDS = {"api": 28.0, "worker": 60.0, "sweeper": 60.0, "webhooks": 20.0, "events": 60.0, "operator": 28.0}
"""As in template.yaml."""
SWEEP_EVERY_SECONDS = 300.0
HORIZON_SECONDS = 8 * 3600.0
"""When everything must be settled: the longest wait of a request is six hours."""


@dataclass(slots=True)
class SimulatedEnvironment:
    """Keeps all output of the service. ``escaped_exceptions``: those that left a handler.

    ``rejected_by_aws``: the faults of its requests that real AWS would reject, and these models do not.
    """

    system: SystemUnderTest
    case: Case
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    output: patches.Output = field(default_factory=patches.Output)
    secrets: set[str] = field(default_factory=set)
    rate_limits: list[tuple[float, float, str, Invocation | None]] = field(default_factory=list)
    kills: int = 0
    escaped_exceptions: list[str] = field(default_factory=list)
    rejected_by_aws: list[str] = field(default_factory=list)
    network: Network = field(init=False)
    close: CloseTransport = field(init=False)
    account: aws.SimulatedAws = field(init=False)
    queue: SimulatedQueue = field(init=False)
    dead_letters: SimulatedQueue = field(init=False)
    idle: dict[str, list[ExecutionEnvironment]] = field(
        default_factory=lambda: {function: [] for function in TIMEOUT_SECONDS}
    )

    def __post_init__(self) -> None:
        self.network = Network(self.clock, {fault.call: fault for fault in self.case.faults})
        self.close = CloseTransport(self.clock)
        self.dead_letters = SimulatedQueue("dead-letters", self.clock)
        self.queue = SimulatedQueue(
            "provisioning", self.clock, max_receives=MAX_RECEIVES, dead_letters=self.dead_letters
        )
        self.account = aws.SimulatedAws({QUEUE_URL: self.queue, DEAD_LETTER_QUEUE_URL: self.dead_letters})

    @contextmanager
    def patched(self) -> Iterator["SimulatedEnvironment"]:
        """The world stands while this is entered; only one can."""
        with patches.apply_patches(self, self.output, str(self.case)), self.system.patches(lambda: self.clock.now):
            aws.empty_table(TABLE)
            yield self

    # --- what stands at the seams

    @property
    def now(self) -> float:
        return self.clock.now

    def to_aws(self, request: AWSPreparedRequest) -> AWSResponse:
        operation = aws.AwsOperation.of(request)
        if self.network.invocation is None:
            return self.account.carry_out(operation, request)
        if self.system.has_guarantees:
            self.rejected_by_aws += strict.faults(self.network.invocation.function, request)
        refuse_some = functools.partial(self.account.refuse_some, operation.parameters, request)
        failures = aws.AwsFailures(request, operation.service, refuse_some)
        attempts_of = request.headers.get("amz-sdk-invocation-id")
        text = attempts_of.decode() if isinstance(attempts_of, bytes) else attempts_of
        response: AWSResponse = self.network.call(
            aws_label(operation), failures, lambda: self.account.carry_out(operation, request), text
        )
        return response

    def to_close(self, request: httpx.Request) -> httpx.Response:
        request.read()
        tenant, invocation = self.close.tenant_of(request), self.network.invocation
        assert invocation, "only the service speaks to Close"
        failures = CloseFailures(request, lambda: self.close.throttle(tenant))
        response: httpx.Response = self.network.call(
            close_label(request, tenant), failures, lambda: self.close.carry_out(request, tenant, invocation)
        )
        if response.status_code == 429:
            until = self.close.closed_until[tenant]
            self.rate_limits.append((self.clock.now, until, tenant, invocation))
        response.request = request
        return response

    def read_clock(self, module: str, function: str) -> float:
        if self.network.invocation and module.startswith(self.system.modules):
            return self.network.read_clock(f"{module.rpartition('.')[2]}.{function}")
        return self.clock.now

    def sleep(self, seconds: float) -> None:
        self.network.wait(seconds)

    # --- invocations

    def invoke[Event, Answer](
        self, function: str, event: Event, run: Callable[[ExecutionEnvironment, Event, Callable[[], float]], Answer]
    ) -> Answer | None:
        """One invocation; None when it was killed or failed. Then a new environment takes over its work."""
        now = self.clock.now
        invocation = Invocation(function, now, now + TIMEOUT_SECONDS[function], self._pauses())
        try:
            with self.network.of(invocation):
                environment = self.idle[function].pop() if self.idle[function] else self.system.start()
                response = run(environment, event, lambda: invocation.deadline - self.clock.now)
        except InvocationKilled:
            self.kills += 1
            return None
        except Exception as error:  # noqa: BLE001 - whatever leaves a handler is a failed invocation
            self.escaped_exceptions.append(f"{function}: {error!r}")
            return None
        self.idle[function].append(environment)
        if self.system.has_guarantees and function in {"api", "webhooks"}:
            self.rejected_by_aws += strict.answer_faults(cast("Mapping[str, Any]", response))
        return response

    def _pauses(self) -> dict[str, float]:
        """The pauses that the ledger knows of, by tenant."""
        known = self.system.pauses(aws.items(TABLE))
        return {
            tenant: max(known.get(tenant, 0), known.get(organization, 0))
            for tenant, organization in self.close.tenants.items()
        }

    def deliver(self) -> bool:
        """Hand what is visible on the queue to the worker, as Lambda's event source does. False if there is nothing."""
        return self.deliver_messages(self.queue.receive())

    def deliver_messages(self, messages: Sequence[SimulatedMessage]) -> bool:
        records = [message.record() for message in messages]
        if records:
            response = self.invoke("worker", records, lambda started, event, left: started.worker(event, left))
            if response is not None:
                again = {each["itemIdentifier"] for each in response["batchItemFailures"]}
                assert again <= {message.id for message in messages}, "named a message that was not in the batch"
                for message in messages:
                    if message.id not in again:
                        self.queue.delete(message.id)
        return bool(records)

    def sweep(self) -> None:
        self.invoke("sweeper", None, lambda started, _, left: started.sweeper(left))

    def handle_event(self, event: Mapping[str, Any]) -> bool:
        """Pass an event to its function. Return whether it was accepted."""
        return self.invoke("events", event, lambda started, given, _: started.events(given)) or False

    # --- senders and tenants

    def add_source(self) -> None:
        """The sender's secret, with Secrets Manager."""
        self.secrets.add(webhook_senders.SIGNING_SECRET)
        name = f"{SOURCE_SECRET_PREFIX}/{webhook_senders.SOURCE}"
        self.account.secrets[name] = json.dumps({"secrets": [webhook_senders.SIGNING_SECRET]})

    def add_tenant(self, tenant: str, **settings: Any) -> str:
        """An organization at Close, and its key with Secrets Manager. The key."""
        key = self._new_key(tenant)
        self.close.add(tenant, [key], **settings)
        return key

    def add_tenant_of(self, tenant: str, owner: str) -> None:
        """Add a tenant whose key opens the organization of another tenant."""
        key = self._new_key(tenant)
        add_key(self.close.service, {"organization": self.close.tenants[owner], "key": key})
        self.close.shared_by[tenant] = owner

    def store_key(self, tenant: str, key: str) -> None:
        """Store a key for the tenant, perhaps one of another organization."""
        self.account.secrets[f"{SECRET_PREFIX}/{tenant}"] = key

    def is_bound(self, tenant: str) -> bool:
        """Whether the service has worked in the tenant's organization."""
        return "organization" in aws.items(TABLE).get(f"TENANT#{tenant}", {})

    def _new_key(self, tenant: str) -> str:
        number = len(self.secrets)
        key = f"api_{tenant}{number}.{tenant}-is-secret-{number}"
        self.secrets.add(key)
        self.account.secrets[f"{SECRET_PREFIX}/{tenant}"] = key
        return key

    def replace_key(self, tenant: str, old: str) -> str:
        """The tenant gets a new key; Close knows the old one no more."""
        new = self._new_key(tenant)
        add_key(self.close.service, {"organization": self.close.tenants[tenant], "key": new})
        revoke(self.close.service, {"key": old})
        return new

    def pin(self, tenant: str) -> None:
        """The tenant's secret names its organization."""
        name = f"{SECRET_PREFIX}/{tenant}"
        pinned = {"api_key": self.account.secrets[name], "organization_id": self.close.tenants[tenant]}
        self.account.secrets[name] = json.dumps(pinned)
