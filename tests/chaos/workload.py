"""Sends what the plan says, over all doors at once, as callers do who do not give up at the first failure."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from infra.local.webhook_events import Event
from provisioner.contract.spec import natural_key
from tests.chaos.cluster import Stage
from tests.chaos.schedule import Sending
from tests.simulation.callers import Asked
from tests.simulation.webhook_senders import SOURCE, signup

CALLERS = 8
TRIES = 4
PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class Callers:
    """``asked`` by tenant and request id."""

    stage: Stage
    asked: dict[tuple[str, str], Asked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_all(self, sendings: Sequence[Sending], callers: int = CALLERS) -> None:
        """Each caller takes the next sending when it is done with one."""
        waiting = iter(sendings)
        with ThreadPoolExecutor(callers) as pool:
            for done in [pool.submit(self._work_off, waiting) for _ in range(callers)]:
                done.result()

    def _work_off(self, waiting: Iterator[Sending]) -> None:
        sqs = self.stage.client("sqs")
        while sending := self._next(waiting):
            asked = self._asked(sending)
            match sending.door:
                case "http":
                    headers = {"Prefer": "respond-async"} if sending.asynchronous else {}
                    self._until_heard(asked, lambda: self.stage.stack.http.submit(sending.request, headers))  # noqa: B023
                case "webhook":
                    event = signup(asked.tenant, asked.request_id)
                    self._until_heard(asked, lambda: self._deliver(event))  # noqa: B023
                case _:
                    self._over_the_queue(sending, asked, sqs)

    def _next(self, waiting: Iterator[Sending]) -> Sending | None:
        with self._lock:
            return next(waiting, None)

    def _asked(self, sending: Sending) -> Asked:
        tenant, request_id = sending.request["tenant"], sending.request["request_id"]
        with self._lock:
            asked = self.asked.setdefault((tenant, request_id), Asked(tenant, request_id))
            asked.names.add(natural_key(sending.request["custom_object_type"]["name"]))
        return asked

    def _until_heard(self, asked: Asked, ask: Callable[[], httpx.Response]) -> None:
        """Again when there is no answer, or one that says that it may not have been accepted."""
        for _ in range(TRIES):
            if (answer := _answer(ask)) is not None:
                with self._lock:
                    asked.heard(answer)
                if answer["statusCode"] < 500 or '"state": "settled"' in answer["body"]:
                    return
            threading.Event().wait(PAUSE_SECONDS)

    def _deliver(self, event: Event) -> httpx.Response:
        stack = self.stage.stack
        sent = event.sent([stack.source_secrets[SOURCE]])
        return stack.http.deliver(SOURCE, sent.body, sent.headers)

    def _over_the_queue(self, sending: Sending, asked: Asked, sqs: Any) -> None:
        sqs.send_message(
            QueueUrl=self.stage.stack.description.queue_url,
            MessageBody=json.dumps(sending.request),
            MessageGroupId=asked.tenant,
        )
        asked.accepted = True


def _answer(ask: Callable[[], httpx.Response]) -> dict[str, Any] | None:
    try:
        answer = ask()
        json.loads(answer.text)
    except (httpx.HTTPError, ValueError):
        return None
    return {"statusCode": answer.status_code, "body": answer.text}
