"""The callers: they send requests through every entry point of a local stack, as fast as it answers."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from infra.local.stack import LocalStack
from tests.load.workload import WEBHOOK, Planned

SOURCE, _ = WEBHOOK
RETRIES = 5
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request that was sent. Times: Unix seconds. ``error``: it was not accepted."""

    planned: Planned
    sent_at: float
    accepted_at: float
    error: str | None = None


@dataclass(slots=True)
class LoadCallers:
    """The callers of one stack. ``on_sent`` is called after each request."""

    stack: LocalStack
    on_sent: Callable[[SentRequest], object]
    _of_thread: threading.local = field(default_factory=threading.local)

    def send_all(self, planned: Sequence[Planned], number: int) -> list[SentRequest]:
        """Send all of them, with so many callers side by side."""
        with ThreadPoolExecutor(number) as pool:
            return [*pool.map(self._send, planned)]

    def _send(self, planned: Planned) -> SentRequest:
        """Send a request as often as planned, and again while it is not accepted, as its sender would."""
        sent_at, error = time.time(), None
        for _ in range(planned.times):
            for _ in range(RETRIES):
                error = self._refusal(planned)
                if error is None:
                    break
                time.sleep(RETRY_SECONDS)
        sent = SentRequest(planned, sent_at, time.time(), error)
        self.on_sent(sent)
        return sent

    def _refusal(self, planned: Planned) -> str | None:
        try:
            return self._sent_once(planned)
        except Exception as error:  # noqa: BLE001 - whatever a client raises, the request may not have been accepted
            return f"{type(error).__name__}: {error}"

    def _sent_once(self, planned: Planned) -> str | None:
        match planned.entry_point:
            case "queue":
                self._client("sqs").send_message(
                    QueueUrl=self.stack.description.queue_url, MessageBody=json.dumps(planned.content)
                )
                return None
            case "bus":
                entry = {"Source": "com.example.signups", "DetailType": "Provisioning Requested"}
                answer = self._client("events").put_events(Entries=[{**entry, "Detail": json.dumps(planned.content)}])
                return None if answer["FailedEntryCount"] == 0 else str(answer["Entries"])
            case "webhook":
                delivery = planned.content.sent([self.stack.source_secrets[SOURCE]])
                response = self.stack.http.deliver(SOURCE, delivery.body, delivery.headers)
            case _:
                headers = {"Prefer": "respond-async"} if planned.entry_point != "http" else {}
                response = self.stack.http.submit(planned.content, headers)
        return None if response.status_code < 300 else f"{response.status_code}: {response.text[:200]}"

    def _client(self, service: str) -> Any:
        """Return the thread's own client: making one is not safe between threads."""
        clients = self._of_thread.__dict__
        if service not in clients:
            clients[service] = self.stack.aws.client(service)
        return clients[service]
