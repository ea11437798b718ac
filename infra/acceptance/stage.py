"""Actions and observations of an acceptance run, under names of its own, and the removal of everything it made."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any
from uuid import uuid4

import httpx

from infra.acceptance.target import Target
from infra.local.outcomes import Announcement, Feed

PATIENCE_SECONDS = 240.0  # of one observation: cold starts, the list's lag, and the delays of the queue


class Skipped(Exception):
    """The stack has no part for a scenario; the message names it."""


@dataclass(frozen=True, slots=True)
class Party:
    """A tenant of the run, and its organization in the simulated Close."""

    tenant: str
    organization: str

    def asks(self, name: str = "Project", **more: Any) -> dict[str, Any]:
        """Return the body of a request for one type."""
        spec = {"name": name, "name_plural": f"{name}s"}
        return {"tenant": self.tenant, "request_id": f"r-{uuid4()}", "custom_object_type": spec, **more}


@dataclass(slots=True)
class Stage:
    """The run. ``undo`` holds the steps that remove what it made."""

    target: Target
    run: str = field(default_factory=lambda: f"acceptance-{uuid4().hex[:8]}")
    undo: list[Callable[[], object]] = field(default_factory=list)
    tenants: set[str] = field(default_factory=set)
    _feed: Feed | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self) -> None:
        """Subscribe a temporary queue to the topic."""
        sqs, sns, topic = self.target.client("sqs"), self.target.client("sns"), self.target.outputs["OutcomesTopicArn"]
        url = sqs.create_queue(QueueName=f"{self.target.name}-{self.run}")["QueueUrl"]
        self.undo.append(lambda: sqs.delete_queue(QueueUrl=url))
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        subscribed = sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )
        self.undo.append(lambda: sns.unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"]))
        self._feed = Feed(sqs, url)

    def party(self, **settings: Any) -> Party:
        """Add a tenant with an organization of its own."""
        tenant = f"{self.run}-{uuid4().hex[:6]}"
        organization = self.target.close.add_organization(id=f"orga_{tenant}", name=tenant, **settings)
        self.undo.append(lambda: self.target.close.clear_organization(organization["id"]))
        self.keep_secret(f"{self.target.outputs['TenantSecretPrefix']}/{tenant}", organization["keys"][0])
        self.tenants.add(tenant)
        return Party(tenant, organization["id"])

    def keep_secret(self, name: str, text: str) -> None:
        secretsmanager = self.target.client("secretsmanager")
        secretsmanager.create_secret(Name=name, SecretString=text)
        self.undo.append(lambda: secretsmanager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True))

    def signing_secrets(self, source: str) -> list[str]:
        """Return the signing secrets of the source. Stores one for the run where the stack has none."""
        secretsmanager, name = (
            self.target.client("secretsmanager"),
            f"{self.target.outputs['SourceSecretPrefix']}/{source}",
        )
        with self._lock:
            try:
                stored = secretsmanager.get_secret_value(SecretId=name)["SecretString"]
            except secretsmanager.exceptions.ResourceNotFoundException:
                stored = json.dumps({"secrets": [f"whsec_{token_urlsafe(32)}"]})
                self.keep_secret(name, stored)
        found: list[str] = json.loads(stored)["secrets"]
        return found

    def post(self, body: object, *, signed: bool = True, headers: Mapping[str, str] | None = None) -> httpx.Response:
        content = json.dumps(body).encode()
        return self.target.call("POST", "/v1/provisioning-requests", content, headers, signed=signed)

    def send(self, body: object) -> str:
        """Send a message to the provisioning queue. Return its id."""
        text = body if isinstance(body, str) else json.dumps(body)
        queue = self.target.outputs["ProvisioningQueueUrl"]
        return str(self.target.client("sqs").send_message(QueueUrl=queue, MessageBody=text)["MessageId"])

    def outcome(self, tenant: str, request_id: str) -> Announcement:
        """Wait for the outcome on the topic. Raises ``TimeoutError``."""
        return self.eventually(lambda: self._announced(tenant, request_id), f"an outcome of {tenant}/{request_id}")

    def result(self, request: Mapping[str, Any]) -> str:
        return str(self.outcome(request["tenant"], request["request_id"]).data["result"])

    def _announced(self, tenant: str, request_id: str) -> Announcement | None:
        if self._feed is None:
            raise LookupError("the run does not listen to the topic yet")
        with self._lock:
            self._feed.poll(1)
            return next((each for each in self._feed.arrived if each.concerns == (tenant, request_id)), None)

    def eventually[Found](self, find: Callable[[], Found | None], awaited: str) -> Found:
        """Call ``find`` until it returns a true value. Raises ``TimeoutError``."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := find()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{awaited} did not come within {PATIENCE_SECONDS:g} s")
            time.sleep(0.2 if self.target.is_local else 2)
        return found

    def clear(self) -> list[str]:
        """Remove everything that the run made, and return what could not be removed."""
        left = []
        with suppress(Exception):
            self._forget_items()
        for step in reversed(self.undo):
            try:
                step()
            except Exception as error:  # noqa: BLE001 - of any kind: the other steps follow
                left.append(str(error))
        return left

    def _forget_items(self) -> None:
        """Delete the ledger's items of the run's tenants and organizations."""
        dynamodb, table = self.target.client("dynamodb"), self.target.outputs["LedgerTableName"]
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=table,
            FilterExpression="begins_with(tenant, :run) OR contains(pk, :run)",
            ExpressionAttributeValues={":run": {"S": self.run}},
            ProjectionExpression="pk",
        )
        for page in pages:
            for item in page["Items"]:
                dynamodb.delete_item(TableName=table, Key={"pk": item["pk"]})


def request_key(request: Mapping[str, Any]) -> str:
    """Return the id of a request in the HTTP API's paths."""
    return hashlib.sha256(f"{request['tenant']}/{request['request_id']}".encode()).hexdigest()[:32]
