"""Sends the examples to a running stack."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from infra.local.api_client import PATH, PLANS
from infra.local.examples.examples import Example, Exchange
from infra.local.examples.tenants import organization_id
from infra.local.stack import LocalStack
from infra.local.webhook_events import Event


@dataclass(frozen=True, slots=True)
class ExampleSender:
    """A sender for every entry point."""

    stack: LocalStack
    sqs: Any

    @classmethod
    def of(cls, stack: LocalStack) -> "ExampleSender":
        return cls(stack, stack.aws.client("sqs"))

    def send(self, example: Example) -> Exchange:
        """Send one example, and return when the HTTP API has responded or the queue has the message."""
        if example.close_fault and self.stack.close:
            aim = {"organization": organization_id(example.tenant), "type_name": example.subject}
            self.stack.close.arm(example.close_fault, aim=aim)
        return self._over_the_queue(example) if example.entry_point == "queue" else self._over_http(example)

    def _call(self, example: Example) -> httpx.Response:
        if example.entry_point == "webhook":
            return self._deliver(example.body)
        path = PLANS if example.entry_point == "plan" else PATH
        return self.stack.http.call("POST", path, example.content.encode(), example.headers)

    def _deliver(self, body: Mapping[str, Any]) -> httpx.Response:
        source = str(body["source"])
        sent = Event.of(source, body["event"], body["tenant"]).sent([self.stack.source_secrets[source]])
        return self.stack.http.deliver(source, sent.body + b" " * body.get("tampered", False), sent.headers)

    def _over_http(self, example: Example) -> Exchange:
        exchange = Exchange(example, time.time(), example.request_id or "")
        try:
            response = self._call(example)
        except httpx.HTTPError as error:
            exchange.error = f"the HTTP API did not respond ({type(error).__name__})"
            return exchange
        exchange.responded_at = time.time()
        exchange.status, exchange.headers = response.status_code, dict(response.headers)
        if response.headers["Content-Type"].startswith("text/plain"):
            exchange.plan = response.text
            return exchange
        try:
            exchange.response = response.json()
            exchange.request_id = exchange.request_id or exchange.response.get("request_id", "")
        except ValueError:
            exchange.error = f"the response is not JSON: {response.text[:200]!r}"
        return exchange

    def _over_the_queue(self, example: Example) -> Exchange:
        sent_at = time.time()
        sent = self.sqs.send_message(QueueUrl=self.stack.description.queue_url, MessageBody=example.content)
        return Exchange(example, sent_at, example.request_id or sent["MessageId"])
