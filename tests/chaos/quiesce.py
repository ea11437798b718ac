"""Waiting for quiescence: the queue is drained, the sweeper sweeps, dead-message messages are redriven."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.cluster import Cluster

POLL_SECONDS = 1.0
SWEEP_SECONDS = 8.0


@dataclass(slots=True)
class LedgerMonitor:
    """Looks at the ledger over and over. ``changed`` names the outcomes that did not stay what they were."""

    cluster: Cluster
    changed: set[str] = field(default_factory=set)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    _outcomes: dict[str, str] = field(default_factory=dict)

    def poll(self) -> None:
        self.items = self.cluster.items()
        for pk, item in self.items.items():
            outcome = item.get("outcome", {}).get("S")
            if outcome is not None and self._outcomes.setdefault(pk, outcome) != outcome:
                self.changed.add(pk)

    def remembered(self) -> int:
        """Return how many requests were settled from what another one had observed."""
        return sum('"observed_at"' in item.get("outcome", {}).get("S", "") for item in self.items.values())

    def unfinished(self) -> int:
        return sum("unfinished" in item for item in self.items.values())


@dataclass(slots=True)
class PeriodicTask:
    """Does something every so many seconds in a thread of its own, while it is entered."""

    work: Callable[[], object]
    seconds: float
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _failure: BaseException | None = None

    def __enter__(self) -> "PeriodicTask":
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Raises what went wrong in the thread."""
        self._ended.set()
        assert self._thread
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._ended.wait(self.seconds):
                self.work()
        except Exception as failure:  # noqa: BLE001 - raised where it is seen
            self._failure = failure


def wait_until_quiescent(monitor: LedgerMonitor, seconds: float, *, sweeps: bool) -> bool:
    """Until no message waits and nothing in the ledger is unfinished. False when the time is over first."""
    deadline = time.monotonic() + seconds
    next_sweep = time.monotonic()
    while True:
        monitor.poll()
        if not monitor.unfinished() and not monitor.cluster.waiting():
            return True
        if time.monotonic() > deadline:
            return False
        if sweeps and monitor.unfinished() and time.monotonic() > next_sweep:
            monitor.cluster.sweep()
            next_sweep = time.monotonic() + SWEEP_SECONDS
        threading.Event().wait(POLL_SECONDS)


def redrive(cluster: Cluster) -> tuple[int, Counter[str]]:
    """Put messages that failed too often back on the queue. Return their number, and the bodies that have a reason."""
    sqs, about = cluster.client("sqs"), cluster.stack.description
    moved, rejected = 0, Counter[str]()
    while messages := sqs.receive_message(
        QueueUrl=about.dead_letter_queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages", []):
        for message in messages:
            if "reason" in message.get("MessageAttributes", {}):
                rejected[message["Body"]] += 1
            else:
                sqs.send_message(QueueUrl=about.queue_url, MessageBody=message["Body"], MessageGroupId="redriven")
                sqs.delete_message(QueueUrl=about.dead_letter_queue_url, ReceiptHandle=message["ReceiptHandle"])
                moved += 1
    return moved, rejected
