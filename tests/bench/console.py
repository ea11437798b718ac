"""``python -m tests.bench.console``: the server time of each page of the console, with few and many requests.

The console and the operator's function run in this process, on the local stack's AWS. The emulator looks at every entry
of an index for each query, so its time is shown apart from that of the project's own code.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import batched, pairwise
from typing import Any
from unittest import mock

import boto3
import httpx
from starlette.testclient import TestClient

from close_provisioner.client.service import Service as Client
from close_provisioner.console.app import make_app
from close_provisioner.stack.which import Stack
from infra.local.config import PROJECT, Options
from infra.local.stack import LocalStack, local_stack
from provisioner.contract.errors import ProblemType, make_problem
from provisioner.contract.outcome import Outcome, Result
from provisioner.contract.request import ProvisioningRequest, Requester
from provisioner.handlers.operator import Operator
from provisioner.ledger import expressions, history, items
from provisioner.ledger.models import RequestState
from provisioner.service import Service
from provisioner.settings import Settings
from tests.bench.section import table
from tests.integration.service.gateway import API_URL, proxy_event

OPTIONS = Options(port=0, list_lag_seconds=1, state=PROJECT / ".local" / "console-bench")
SIZES = (100, 10_000)
LOADS = 20  # of each page, after a first one
TOKEN = "x" * 32
ORIGIN = "http://127.0.0.1:1"
PAGES = {
    "overview, nothing kept": "/",
    "overview": "/",
    "requests": "/requests",
    "requests that failed": "/requests?is=failed",
    "requests of a tenant": "/requests?tenant=tenant-3",
    "a request": "/requests/{key}",
    "tenants": "/tenants",
    "a tenant": "/tenants/acme",
    "types": "/types?tenant=acme",
    "dead-letter queue": "/dead-letters",
    "sources": "/sources",
}
UNSETTLED = {"unfinished", "due_at"}  # keys that an announced request has no more
REQUESTER = Requester("http", "arn:aws:sts::111122223333:assumed-role/signup/i-0abc")


@dataclass
class Meter:
    """The calls of the function's AWS clients since the last reset."""

    seconds: float = 0
    calls: int = 0
    entries: int = 0
    _begun: list[float] = field(default_factory=list)

    def reset(self) -> None:
        self.seconds, self.calls, self.entries = 0, 0, 0

    def client(self, service: str) -> Any:
        """Return a measured client."""
        made = boto3.client(service)
        made.meta.events.register("before-call", self._before)
        made.meta.events.register("after-call", self._after)
        return made

    def _before(self, **_: Any) -> None:
        self._begun.append(time.perf_counter())

    def _after(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        self.seconds += time.perf_counter() - self._begun.pop()
        if model.service_model.service_name == "dynamodb":
            self.calls += 1
            self.entries += parsed.get("ScannedCount", 1)


def main() -> int:
    """Print the table. Return the exit code."""
    rows = [
        [
            "page",
            "requests",
            "p50 ms",
            "p95 ms",
            "own p50",
            "own p95",
            "emulator p50",
            "calls to DynamoDB",
            "entries read",
        ]
    ]
    with local_stack(OPTIONS) as stack, _environment(stack):
        for since, until in pairwise((0, *SIZES)):
            key = _fill(stack, since, until)
            rows += _measured(stack, until, key)
    print(table(rows))
    return 0


@contextmanager
def _environment(stack: LocalStack) -> Iterator[None]:
    """Give this process the variables of the operator's function, and the emulator as AWS."""
    function = stack.description.functions["operator"].environment
    without_metrics = mock.patch("provisioner.handlers.operator.count")
    with mock.patch.dict(os.environ, {**function, **stack.aws.credentials}), without_metrics:
        yield


def _fill(stack: LocalStack, since: int, until: int) -> str:
    """Store requests as the service leaves them, spread over the last day. Return the id of one of them."""
    begin, step = time.time() - 85_000, 85_000 / (until - since)
    dynamodb, name = stack.aws.client("dynamodb"), stack.description.table_name
    for numbers in batched(range(since, until), 25, strict=False):
        made = [_item(name, each, begin + (each - since) * step) for each in numbers]
        dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": each}} for each in made]})
    return _request(since).id


def _request(number: int) -> ProvisioningRequest:
    types = [{"name": f"Type {number % 50}", "name_plural": f"Types {number % 50}"}]
    body = {"tenant": f"tenant-{number % 40}", "request_id": f"signup-{number}", "custom_object_types": types}
    return ProvisioningRequest.model_validate(body)


def _item(table_name: str, number: int, at: float) -> dict[str, Any]:
    """Return the item of a request whose outcome is announced. One of 25 failed."""
    request = _request(number)
    times = expressions.AcceptTimes(at, at, at + 90 * 86_400)
    item: dict[str, Any] = expressions.accept_input(table_name, request, "token", times, REQUESTER)["Item"]
    problem = None if number % 25 else make_problem(ProblemType.PLAN_LIMIT, "The plan allows no more types.")
    outcome = Outcome(
        tenant=request.tenant,
        request_id=request.request_id,
        result=Result.FAILED if problem else Result.CREATED,
        problem=problem,
        attempts=1,
        settled_at=datetime.fromtimestamp(at + 1, UTC).isoformat(),
    )
    calls = [("GET", "custom_object_type/", 200, 90, None), ("POST", "custom_object_type/", 200, 140, None)]
    run = history.Run(at, 1, history.Invocation("queue"), calls)
    settled = {
        "state": RequestState.ANNOUNCED,
        "outcome": outcome.to_json(),
        "settled_as": items.settled_as_json(outcome),
        "history": (history.ended(run, history.Ending(at + 1, "settled")),),
    }
    return {name: value for name, value in item.items() if name not in UNSETTLED} | items.attributes(settled)


def _measured(stack: LocalStack, size: int, key: str) -> list[list[str]]:
    meter = Meter()
    operator = Operator.of(Service.from_settings(Settings.from_env()), meter.client)

    def respond(request: httpx.Request) -> httpx.Response:
        answer = operator.answer(proxy_event(request), lambda: 28)
        return httpx.Response(answer["statusCode"], headers=answer["headers"], text=answer["body"])

    client = Client.of(_described(stack), httpx.MockTransport(respond))

    def start() -> TestClient:
        browser = TestClient(make_app(client, origin=ORIGIN, token=TOKEN, allow_changes=True), base_url=ORIGIN)
        browser.get(f"/requests?token={TOKEN}")
        return browser

    kept = start()
    return [
        _row(start if name == "overview, nothing kept" else lambda: kept, meter, name, path.format(key=key), size)
        for name, path in PAGES.items()
    ]


def _described(stack: LocalStack) -> Stack:
    described = stack.description
    return Stack(
        name="local stack",
        api_url=API_URL,
        region=described.region,
        tenant_secret_prefix=described.tenant_secret_prefix,
        source_secret_prefix=described.source_secret_prefix,
        session=boto3.Session(),
        endpoint_url=described.aws_endpoint_url,
    )


def _row(browser: Callable[[], TestClient], meter: Meter, name: str, path: str, size: int) -> list[str]:
    """Load the page again and again. ``own``: the time outside the calls to AWS."""
    wholes, own, emulator = [], [], []
    for number in range(LOADS + 1):
        asking = browser()
        meter.reset()
        begin = time.perf_counter()
        answer = asking.get(path)
        whole = time.perf_counter() - begin
        assert answer.status_code == HTTPStatus.OK, (path, answer.text)
        if number:  # the first one fills what is kept in memory
            wholes.append(whole * 1000)
            own.append((whole - meter.seconds) * 1000)
            emulator.append(meter.seconds * 1000)
    times = [*_spread(wholes), *_spread(own), statistics.median(emulator)]
    return [name, f"{size:,}", *(f"{each:.0f}" for each in times), str(meter.calls), f"{meter.entries:,}"]


def _spread(milliseconds: list[float]) -> tuple[float, float]:
    return statistics.median(milliseconds), statistics.quantiles(milliseconds, n=20)[-1]


if __name__ == "__main__":
    sys.exit(main())
