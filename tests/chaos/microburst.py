"""microburst between the functions and the local AWS: a proxy that fails as AWS does, in each protocol's own words.

It draws from Python's global random numbers; the starter seeds them. Which call a draw meets depends on the order in
which calls arrive.
"""

import json
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.emulator import tool, without_aws
from infra.local.ports import HOST, free_port
from infra.local.processes import Process

START_SECONDS = 15
STARTER = "import random, sys; random.seed(sys.argv.pop(1)); from microburst.cli import main; sys.exit(main())"
SERVICES = ("dynamodb", "sns", "sqs", "secretsmanager")
THROTTLED = {"dynamodb": "ProvisionedThroughputExceededException", "sns": "Throttled", "sqs": "RequestThrottled"}
CALLS_BETWEEN_OUTAGES = {"dynamodb": 400}
PAST_TIMEOUT_MS = 2_300  # the functions' clients wait 2 s for an answer


@dataclass(frozen=True, slots=True)
class AwsFault:
    """One kind of failure of one service. ``sure_after``: after so many seconds it strikes the next call, once."""

    service: str
    kind: str
    effect: Mapping[str, Any]
    frequency: Mapping[str, Any]
    sure_after: float | None

    @property
    def name(self) -> str:
        return f"{self.service} {self.kind}"

    def rules(self, now: float) -> list[dict[str, Any]]:
        """In microburst's words. ``now`` in Unix seconds."""
        rules = [{"service": self.service, **self.frequency, **self.effect}]
        if self.sure_after is not None:
            rules.append({"service": self.service, "times": 1, "active_at": now + self.sure_after, **self.effect})
        return rules


def faults(probability: float, moment: Callable[[], float]) -> list[AwsFault]:
    """Everything that is to go wrong at each service, with that probability at each call, and once at that moment.

    An outage fails several calls in a row, so that the SDK's own three attempts do not help.
    """
    chance = {"probability": probability}
    found = []
    for service in SERVICES:
        outage = {"sequence": {"fail": 6, "pass": CALLS_BETWEEN_OUTAGES.get(service, 100)}}
        found.append(
            AwsFault(service, "outage", {"error": {"code": "ServiceUnavailable", "status": 503}}, outage, None)
        )
        found += [AwsFault(service, kind, effect, chance, moment()) for kind, effect in _effects(service)]
    return found


def _effects(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "throttled", {"error": {"code": THROTTLED.get(service, "ThrottlingException"), "status": 400}}
    yield "internal error", {"error": {"code": "InternalServerError", "status": 500}}
    yield "connection reset", {"reset": True}
    yield "answer lost", {"response": {"abort_bytes": 10}}
    yield "carried out late", {"latency": PAST_TIMEOUT_MS}


@dataclass(frozen=True, slots=True)
class Microburst:
    """A running one."""

    url: str
    process: Process

    def set(self, chosen: Sequence[AwsFault]) -> None:
        """Inject these faults from now on, and no others. Counts restart at zero."""
        now = time.time()
        self._call("rules", [rule for fault in chosen for rule in fault.rules(now)])

    def fired(self, chosen: Sequence[AwsFault]) -> Counter[str]:
        """How often each of the faults that were set struck."""
        names = [fault.name for fault in chosen for _ in fault.rules(0)]
        fired: Counter[str] = Counter()
        for name, rule in zip(names, self._call("rules"), strict=True):
            fired[name] += rule["fired_count"]
        return fired

    def is_ready(self) -> bool:
        try:
            return bool(self._call("health"))
        except OSError:
            return False

    def _call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_microburst/{path}", data)  # noqa: S310 - this machine, http
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return json.load(response)


@contextmanager
def microburst(upstream: str, seed: str, log: Path) -> Iterator[Microburst]:
    """In front of ``upstream``, without any fault at first."""
    port = free_port()
    python = tool("microburst").with_name("python")
    where = ["--upstream", upstream, "--host", HOST, "--port", str(port), "--no-resign"]
    process = Process.start("microburst", [str(python), "-c", STARTER, seed, *where], log, without_aws(os.environ))
    try:
        running = Microburst(f"http://{HOST}:{port}", process)
        process.wait_until(running.is_ready, START_SECONDS)
        yield running
    finally:
        process.stop()
