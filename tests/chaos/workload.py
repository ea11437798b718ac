"""Sends the scheduled requests at all entry points at once, as persistent callers would."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from infra.local.webhook_events import Event
from provisioner.contract.text import natural_key
from tests.chaos.cluster import Cluster
from tests.chaos.hostile import HostileBody, HostileRecord
from tests.chaos.schedule import ScheduledRequest
from tests.chaos.surroundings import Change
from tests.simulation.callers import SubmittedRequest
from tests.simulation.webhook_senders import SOURCE, signup

CALLERS = 8
TRIES = 4
PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class Callers:
    """``submitted``: by tenant and request id. ``make``: makes a change that takes its turn."""

    cluster: Cluster
    make: Callable[[Change], object] = lambda _: None
    hostile: HostileRecord = field(default_factory=HostileRecord)
    submitted: dict[tuple[str, str], SubmittedRequest] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_all(self, turns: Sequence[ScheduledRequest | HostileBody | Change], callers: int = CALLERS) -> None:
        """Each caller takes the next turn when it is done with one."""
        waiting = iter(turns)
        with ThreadPoolExecutor(callers) as pool:
            for done in [pool.submit(self._work_off, waiting) for _ in range(callers)]:
                done.result()

    def _work_off(self, waiting: Iterator[ScheduledRequest | HostileBody | Change]) -> None:
        sqs = self.cluster.client("sqs")
        while turn := self._next(waiting):
            match turn:
                case Change():
                    self.make(turn)
                case HostileBody():
                    self._send_hostile(turn, sqs)
                case _:
                    self._send(turn, sqs)

    def _send(self, scheduled: ScheduledRequest, sqs: Any) -> None:
        submitted = self._asked(scheduled)
        match scheduled.entry_point:
            case "http":
                headers = {"Prefer": "respond-async"} if scheduled.asynchronous else {}
                self._until_heard(submitted, lambda: self.cluster.stack.http.submit(scheduled.request, headers))
            case "webhook":
                event = signup(submitted.tenant, submitted.request_id)
                self._until_heard(submitted, lambda: self._deliver(event))
            case _:
                self._over_the_queue(json.dumps(scheduled.request), submitted.tenant, sqs)
                submitted.accepted = True

    def _send_hostile(self, hostile: HostileBody, sqs: Any) -> None:
        if hostile.entry_point == "sqs":
            self._over_the_queue(hostile.text, "chaos-0", sqs)
            with self._lock:
                self.hostile.sent[hostile.kind] += 1
            return
        for _ in range(TRIES):
            response = _response(lambda: self.cluster.stack.http.submit(hostile.text.encode()))
            if response is not None and response["statusCode"] < 500:
                with self._lock:
                    self.hostile.statuses.setdefault(hostile.kind, Counter())[response["statusCode"]] += 1
                return
            threading.Event().wait(PAUSE_SECONDS)

    def _next[Turn](self, waiting: Iterator[Turn]) -> Turn | None:
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

    def _over_the_queue(self, body: str, tenant: str, sqs: Any) -> None:
        queue_url = self.cluster.stack.description.queue_url
        sqs.send_message(QueueUrl=queue_url, MessageBody=body, MessageGroupId=tenant)


def _response(ask: Callable[[], httpx.Response]) -> dict[str, Any] | None:
    try:
        response = ask()
        json.loads(response.text)
    except (httpx.HTTPError, ValueError):
        return None
    return {"statusCode": response.status_code, "body": response.text}
