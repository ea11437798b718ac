"""Actions and observations of end-to-end tests on the running stack. Every wait has a deadline."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from infra.local.outcomes import Announcement, Feed
from infra.local.stack import LocalStack
from infra.simulator import ControlClient

PATIENCE = 60.0  # seconds: a cold start, a wait that Close asks for, the emulator's polling, a slow machine


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant, its organization in the simulated Close, and its credential."""

    name: str
    organization: str
    secret: str

    def asks(self, name: str = "Project", **more: Any) -> dict[str, Any]:
        """Return the body of a request. ``more`` goes to the spec, except ``request_id`` and ``if_exists``."""
        envelope: dict[str, Any] = {key: more.pop(key) for key in ("request_id", "if_exists") if key in more}
        spec = {"name": name, "name_plural": f"{name}s", **more}
        return {"tenant": self.name, "request_id": f"r-{uuid4()}", **envelope, "custom_object_type": spec}


@dataclass(slots=True)
class World:
    """The stack, and the subscriber of its topic."""

    stack: LocalStack
    feed: Feed
    secrets: list[str] = field(default_factory=list)
    """Every credential that a test made up."""

    @property
    def close(self) -> ControlClient:
        assert self.stack.close
        return self.stack.close

    def new_tenant(self, name: str | None = None, **settings: Any) -> Tenant:
        """Add a tenant with a key for an organization of its own, with these settings."""
        name = name or f"t-{uuid4().hex[:12]}"
        organization = self.close.add_organization(id=f"orga_{name}", name=name, **settings)
        key = organization["keys"][0]
        self.keep_secret(name, key)
        return Tenant(name, organization["id"], key)

    def keep_secret(self, tenant: str, credential: str, text: str | None = None) -> None:
        """Store the tenant's secret: the credential, or ``text``, which contains it."""
        self.secrets.append(credential)
        prefix = self.stack.description.tenant_secret_prefix
        secretsmanager = self.stack.aws.client("secretsmanager")
        secretsmanager.create_secret(Name=f"{prefix}/{tenant}", SecretString=text or credential)

    def send(self, *bodies: object) -> list[str]:
        """Send one batch to the provisioning queue, strings unchanged, others as JSON. Return the message ids."""
        entries = [
            {"Id": str(number), "MessageBody": body if isinstance(body, str) else json.dumps(body)}
            for number, body in enumerate(bodies)
        ]
        queue_url = self.stack.description.queue_url
        sent = self.stack.aws.client("sqs").send_message_batch(QueueUrl=queue_url, Entries=entries)
        ids = {each["Id"]: each["MessageId"] for each in sent["Successful"]}
        return [ids[entry["Id"]] for entry in entries]

    def messages_in_flight(self) -> int:
        """Return the number of messages that were received, and neither acknowledged nor returned."""
        name = "ApproximateNumberOfMessagesNotVisible"
        queue_url = self.stack.description.queue_url
        found = self.stack.aws.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
        return int(found["Attributes"][name])

    def outcome(self, request: Mapping[str, Any]) -> Announcement:
        """Wait for the outcome of this request on the topic. Raises ``TimeoutError``."""
        return self.announced(request["tenant"], request["request_id"])[0]

    def announced(self, tenant: str, request_id: str, number: int = 1) -> list[Announcement]:
        """Wait until the topic has published ``number`` outcomes of the request, and return them."""
        return self.feed.wait_for(lambda each: each.concerns == (tenant, request_id), PATIENCE, number)

    def dead_letter(self, message_id: str) -> Mapping[str, Any]:
        """Wait for the message on the dead-letter queue, and take it from there."""
        sqs, queue_url = self.stack.aws.client("sqs"), self.stack.description.dead_letter_queue_url

        def find() -> Mapping[str, Any] | None:
            found = sqs.receive_message(
                QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
            )
            for dead_letter in found.get("Messages", []):
                if dead_letter["MessageAttributes"]["message_id"]["StringValue"] == message_id:
                    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=dead_letter["ReceiptHandle"])
                    return dict(dead_letter)
            return None

        return eventually(find)

    def type_names(self, tenant: Tenant) -> list[str]:
        return [each["name"] for each in self.close.types(tenant.organization)]

    def creates_sent(self, tenant: Tenant) -> int:
        """Return the number of creates that reached Close, whatever the response."""
        return len(self.close.requests(tenant.organization, "POST"))

    def logged(self) -> Iterator[str]:
        """Yield every line that a function or the gateway logged."""
        logs = self.stack.aws.client("logs")
        for group in logs.get_paginator("describe_log_groups").paginate().search("logGroups[].logGroupName"):
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            yield from pages.search("events[].message")


def eventually[Found](find: Callable[[], Found | None], seconds: float = PATIENCE) -> Found:
    """Call ``find`` until it returns a true value, and return that. Raises ``TimeoutError``."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing was found within {seconds} s")
        time.sleep(0.1)
    return found
