"""Sends the scheduled requests at all entry points at once, as persistent callers would."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from infra.local.webhook_events import Event
from provisioner.contract.text import natural_key
from tests.chaos.cluster import Cluster
from tests.chaos.schedule import ScheduledRequest
from tests.simulation.callers import SubmittedRequest
from tests.simulation.webhook_senders import SOURCE, signup

CALLERS = 8
TRIES = 4
PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class Callers:
    """``asked`` by tenant and request id."""

    cluster: Cluster
    submitted: dict[tuple[str, str], SubmittedRequest] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_all(self, scheduled_requests: Sequence[ScheduledRequest], callers: int = CALLERS) -> None:
        """Each caller takes the next sending when it is done with one."""
        waiting = iter(scheduled_requests)
        with ThreadPoolExecutor(callers) as pool:
            for done in [pool.submit(self._work_off, waiting) for _ in range(callers)]:
                done.result()

    def _work_off(self, waiting: Iterator[ScheduledRequest]) -> None:
        sqs = self.cluster.client("sqs")
        while scheduled := self._next(waiting):
            submitted = self._asked(scheduled)
            match scheduled.entry_point:
                case "http":
                    headers = {"Prefer": "respond-async"} if scheduled.asynchronous else {}
                    self._until_heard(submitted, lambda: self.cluster.stack.http.submit(scheduled.request, headers))  # noqa: B023
                case "webhook":
                    event = signup(submitted.tenant, submitted.request_id)
                    self._until_heard(submitted, lambda: self._deliver(event))  # noqa: B023
                case _:
                    self._over_the_queue(scheduled, submitted, sqs)

    def _next(self, waiting: Iterator[ScheduledRequest]) -> ScheduledRequest | None:
        with self._lock:
            return next(waiting, None)

    def _asked(self, scheduled: ScheduledRequest) -> SubmittedRequest:
        tenant, request_id = scheduled.request["tenant"], scheduled.request["request_id"]
        with self._lock:
            submitted = self.submitted.setdefault((tenant, request_id), SubmittedRequest(tenant, request_id))
            submitted.names.add(natural_key(scheduled.request["custom_object_type"]["name"]))
        return submitted

    def _until_heard(self, submitted: SubmittedRequest, ask: Callable[[], httpx.Response]) -> None:
        """Repeat without a response, or after one that does not say that the request was accepted."""
        for _ in range(TRIES):
            if (response := _response(ask)) is not None:
                with self._lock:
                    submitted.record(response)
                if response["statusCode"] < 500 or '"state": "settled"' in response["body"]:
                    return
            threading.Event().wait(PAUSE_SECONDS)

    def _deliver(self, event: Event) -> httpx.Response:
        stack = self.cluster.stack
        sent = event.sent([stack.source_secrets[SOURCE]])
        return stack.http.deliver(SOURCE, sent.body, sent.headers)

    def _over_the_queue(self, scheduled: ScheduledRequest, submitted: SubmittedRequest, sqs: Any) -> None:
        sqs.send_message(
            QueueUrl=self.cluster.stack.description.queue_url,
            MessageBody=json.dumps(scheduled.request),
            MessageGroupId=submitted.tenant,
        )
        submitted.accepted = True


def _response(ask: Callable[[], httpx.Response]) -> dict[str, Any] | None:
    try:
        response = ask()
        json.loads(response.text)
    except (httpx.HTTPError, ValueError):
        return None
    return {"statusCode": response.status_code, "body": response.text}
