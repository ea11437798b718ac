"""Sends examples through the doors of a running stack."""

import time
from dataclasses import dataclass
from typing import Any

import httpx

from infra.local.example_requests import Example, Exchange
from infra.local.example_tenants import organization_id
from infra.local.http_door import PATH, PLANS
from infra.local.stack import LocalStack


@dataclass(frozen=True, slots=True)
class Sender:
    """``send`` answers when the door has."""

    stack: LocalStack
    sqs: Any

    @classmethod
    def of(cls, stack: LocalStack) -> "Sender":
        return cls(stack, stack.aws.client("sqs"))

    def send(self, example: Example) -> Exchange:
        if example.close_fault and self.stack.close:
            aim = {"organization": organization_id(example.tenant), "type_name": example.asks}
            self.stack.close.arm(example.close_fault, aim=aim)
        return self._over_the_queue(example) if example.door == "sqs" else self._over_http(example)

    def _over_http(self, example: Example) -> Exchange:
        exchange = Exchange(example, time.time(), example.request_id or "")
        try:
            path = PLANS if example.door == "plan" else PATH
            answer = self.stack.http.call("POST", path, example.content.encode(), example.headers)
        except httpx.HTTPError as error:
            exchange.error = f"the HTTP door did not answer ({type(error).__name__})"
            return exchange
        exchange.answered_at = time.time()
        exchange.status, exchange.headers = answer.status_code, dict(answer.headers)
        if answer.headers["Content-Type"].startswith("text/plain"):
            exchange.plan = answer.text
            return exchange
        try:
            exchange.answer = answer.json()
        except ValueError:
            exchange.error = f"the HTTP door's answer is no JSON: {answer.text[:200]!r}"
        return exchange

    def _over_the_queue(self, example: Example) -> Exchange:
        sent_at = time.time()
        sent = self.sqs.send_message(QueueUrl=self.stack.description.queue_url, MessageBody=example.content)
        return Exchange(example, sent_at, example.request_id or sent["MessageId"])
