"""The neighbors of the service on a timeline: each call takes its time, and is counted with what AWS charges for it."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from tests.bench.calls import ledger_indexes
from tests.bench.growth.timeline import Timeline
from tests.bench.processes.write_units import Index, price, price_of_read
from tests.simulation import aws
from tests.simulation.close_transport import CloseTransport
from tests.simulation.network import Invocation
from tests.simulation.queues import SimulatedQueue
from tests.simulation.system_under_test import DEAD_LETTER_QUEUE_URL, QUEUE_URL, SECRET_PREFIX, TABLE

AWS_SECONDS = 0.005
CLOSE_SECONDS = 0.2
CLOSE_LIMIT = {"requests": 160, "window_seconds": 8}
"""Of an organization, for each group of endpoints: the header that a live account was seen to send."""
BILLED_BYTES = 65_536  # SNS charges each begun 64 KB
OWN_INVOCATION = Invocation("worker", 0, 0)


class UnwatchedClose(CloseTransport):
    """Close, without the record of everything that any organization ever held: it takes time with every call."""

    def _watch(self) -> None:
        pass


@dataclass(slots=True)
class Neighbors:
    """``counts``: by the names of prices.PRICES, and calls to Close. ``published_at``: when each outcome was published
    first, by request id; ``attempts``: as it says.
    """

    timeline: Timeline
    queue: SimulatedQueue = field(init=False)
    account: aws.SimulatedAws = field(init=False)
    close: UnwatchedClose = field(init=False)
    counts: Counter[str] = field(default_factory=Counter)
    published_at: dict[str, float] = field(default_factory=dict)
    results: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    _seen: int = 0
    _indexes: list[Index] = field(default_factory=lambda: [Index(*each) for each in ledger_indexes()])

    def __post_init__(self) -> None:
        self.queue = SimulatedQueue("provisioning", self.timeline.clock)
        dead = SimulatedQueue("dead-letters", self.timeline.clock)
        self.account = aws.SimulatedAws({QUEUE_URL: self.queue, DEAD_LETTER_QUEUE_URL: dead})
        self.close = UnwatchedClose(self.timeline.clock)

    def add_tenant(self, tenant: str, **settings: Any) -> None:
        """Add an organization at Close, and its key with Secrets Manager."""
        key = f"api_{tenant}.secret-of-{tenant}"
        self.close.add(tenant, [key], rate_limit=CLOSE_LIMIT, **settings)
        self.account.secrets[f"{SECRET_PREFIX}/{tenant}"] = key

    def forget(self) -> None:
        """Count from nothing again."""
        self.counts.clear()
        self.published_at.clear()
        self.results.clear()
        self.attempts = 0

    # --- what stands at the seams

    @property
    def now(self) -> float:
        return self.timeline.now

    def read_clock(self, module: str, function: str) -> float:
        return self.timeline.now

    def sleep(self, seconds: float) -> None:
        self.timeline.wait(seconds)

    def to_aws(self, request: AWSPreparedRequest) -> AWSResponse:
        operation = aws.AwsOperation.of(request)
        if not self.timeline.is_running:  # the table is made
            return self.account.carry_out(operation, request)
        self.timeline.wait(AWS_SECONDS / 2)
        before = self._written(operation)
        response = self.account.carry_out(operation, request)
        self._count(operation, before)
        self.timeline.wait(AWS_SECONDS / 2)
        return response

    def to_close(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.timeline.wait(CLOSE_SECONDS / 2)
        response = self.close.carry_out(request, self.close.tenant_of(request), OWN_INVOCATION)
        response.request = request
        self.counts["calls at Close"] += 1
        self.counts["refused by the limit"] += response.status_code == 429
        self.timeline.wait(CLOSE_SECONDS / 2)
        return response

    # --- counting

    def _count(self, operation: aws.AwsOperation, before: list[Mapping[str, Any]]) -> None:
        match operation.service:
            case "dynamodb" if operation.name == "GetItem":
                self.counts["read_units"] += price_of_read(_stored(operation.parameters["Key"]))
            case "dynamodb":
                in_transaction = operation.name == "TransactWriteItems"
                for old, new in zip(before, self._written(operation), strict=True):
                    self.counts["write_units"] += price(old, new, self._indexes, in_transaction=in_transaction)
            case "sqs":
                self.counts["queue_calls"] += 1
                self.counts["messages"] += operation.name == "SendMessage"
            case "secretsmanager":
                self.counts["secret_reads"] += 1
            case "sns":
                sent = [len(each.message.encode()) for each in self.account.published[self._seen :]]
                self.counts["notifications"] += -(-sum(sent) // BILLED_BYTES)
                self._note_outcomes()

    def _note_outcomes(self) -> None:
        for each in self.account.published[self._seen :]:
            outcome = each.event["data"]
            if self.published_at.setdefault(outcome["request_id"], self.now) == self.now:
                self.attempts += outcome["attempts"]
                self.results[outcome["result"]] += 1
        self._seen = len(self.account.published)

    def _written(self, operation: aws.AwsOperation) -> list[Mapping[str, Any]]:
        """Return the items that a write concerns, in their stored form."""
        if operation.service != "dynamodb" or operation.name in {"GetItem", "Query"}:
            return []
        writes = operation.parameters.get("TransactItems") or [{operation.name: operation.parameters}]
        each = [one for write in writes for one in write.values()]
        return [_stored(one.get("Key") or {"pk": one["Item"]["pk"]}) for one in each]


def _stored(key: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a copy of the stored item with this key, {} if it does not exist."""
    items: Mapping[Any, Any] = dynamodb_backends[aws.ACCOUNT][aws.REGION].tables[TABLE].items
    found = items.get(DynamoType(key["pk"]))
    return json.loads(json.dumps(found.to_json()["Attributes"])) if found else {}
