"""Actions and observations of an acceptance run, under names of its own."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any
from uuid import uuid4

import httpx

import infra.functions_path  # noqa: F401
from infra.acceptance.target import Target
from infra.local.outcomes import Announcement, Feed, subscribe_queue
from provisioner.contract.request import request_key

PATIENCE_SECONDS = 240.0  # of one observation: cold starts, the list's lag, and the delays of the queue


class Skipped(Exception):
    """The stack has no part for a scenario, or does not allow it; the message says why."""


@dataclass(frozen=True, slots=True)
class Party:
    """A tenant of the run, its organization in the simulated Close, and its credential."""

    tenant: str
    organization: str
    key: str

    def asks(self, name: str = "Project", **more: Any) -> dict[str, Any]:
        """Return the body of a request for one type."""
        spec = {"name": name, "name_plural": f"{name}s"}
        return {"tenant": self.tenant, "request_id": f"r-{uuid4()}", "custom_object_type": spec, **more}


@dataclass(slots=True)
class Stage:
    """The run. ``undo`` holds the steps that remove what it made; ``items``, keys of the ledger."""

    target: Target
    run: str = field(default_factory=lambda: f"acceptance-{uuid4().hex[:8]}")
    began: float = field(default_factory=time.time)
    undo: list[Callable[[], object]] = field(default_factory=list)
    parties: list[Party] = field(default_factory=list)
    items: set[str] = field(default_factory=set)
    interrupted: list[tuple[Party, Mapping[str, Any]]] = field(default_factory=list)
    """The requests whose function was killed."""
    last_post: float | None = None
    """When the API was last asked for a type (monotonic seconds): a message of it is on the queue for a while."""
    _feed: Feed | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def queue_name(self) -> str:
        return f"{self.target.name}-{self.run}"

    def listen(self) -> None:
        """Subscribe a temporary queue to the topic."""
        sqs, topic = self.target.client("sqs"), self.target.outputs["OutcomesTopicArn"]
        self._feed = Feed(sqs, subscribe_queue(self.target.client, topic, self.queue_name, self.undo))

    def party(self, **settings: Any) -> Party:
        """Add a tenant with an organization of its own."""
        tenant = f"{self.run}-{uuid4().hex[:6]}"
        organization = self.target.close.add_organization(id=f"orga_{tenant}", name=tenant, **settings)
        self.undo.append(lambda: self.target.close.remove_organization(organization["id"]))
        party = Party(tenant, organization["id"], organization["keys"][0])
        self.parties.append(party)
        self.keep_secret(f"{self.target.outputs['TenantSecretPrefix']}/{tenant}", party.key)
        return party

    def keep_secret(self, name: str, text: str) -> None:
        secretsmanager = self.target.client("secretsmanager")
        secretsmanager.create_secret(Name=name, SecretString=text)
        self.undo.append(lambda: secretsmanager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True))

    def signing_secrets(self, source: str) -> list[str]:
        """Return the signing secrets of the source. Stores one for the run where the stack has none."""
        secretsmanager = self.target.client("secretsmanager")
        name = f"{self.target.outputs['SourceSecretPrefix']}/{source}"
        with self._lock:
            try:
                stored = secretsmanager.get_secret_value(SecretId=name)["SecretString"]
            except secretsmanager.exceptions.ResourceNotFoundException:
                stored = json.dumps({"secrets": [f"whsec_{token_urlsafe(32)}"]})
                self.keep_secret(name, stored)
        found: list[str] = json.loads(stored)["secrets"]
        return found

    def post(self, body: object, *, signed: bool = True, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a provisioning request over HTTP."""
        self.last_post = time.monotonic()
        return self.target.http.submit(body, headers, signed=signed)

    def send(self, body: object) -> str:
        """Send a message to the provisioning queue. Return its id."""
        text = body if isinstance(body, str) else json.dumps(body)
        queue = self.target.outputs["ProvisioningQueueUrl"]
        return str(self.target.client("sqs").send_message(QueueUrl=queue, MessageBody=text)["MessageId"])

    def outcome(self, tenant: str, request_id: str) -> Announcement:
        """Wait for the outcome on the topic. Raises ``TimeoutError``."""
        return self.eventually(lambda: self._announced(tenant, request_id), f"an outcome of {tenant}/{request_id}")

    def result(self, request: Mapping[str, Any]) -> str:
        """Wait for the outcome on the topic, and return its result. Raises ``TimeoutError``."""
        return str(self.outcome(request["tenant"], request["request_id"]).data["result"])

    def _announced(self, tenant: str, request_id: str) -> Announcement | None:
        if self._feed is None:
            raise LookupError("the run does not listen to the topic yet")
        with self._lock:
            self._feed.poll()
            return next((each for each in self._feed.arrived if each.concerns == (tenant, request_id)), None)

    def created(self, party: Party) -> str:
        """Return the number of types, and of creates that Close received: ``types: 1, creates: 1``."""
        types = len(self.target.close.types(party.organization))
        creates = len(self.target.close.requests(party.organization, "POST"))
        return f"types: {types}, creates: {creates}"

    def log(self, function: str, words: str) -> list[dict[str, Any]]:
        """Return the lines with these words that the function has logged since the run began."""
        return [found for line in self.log_lines(function, words) if isinstance(found := _read(line), dict)]

    def log_lines(self, function: str, words: str = "") -> list[str]:
        """Return the lines as text; without words, all of them."""
        pages = self.target.client("logs").get_paginator("filter_log_events")
        search = {"filterPattern": f'"{words}"'} if words else {}
        found = pages.paginate(
            logGroupName=f"/aws/lambda/{self.target.name}-{function}", startTime=int(self.began * 1000), **search
        )
        return [message for message in found.search("events[].message") if words in message]

    def eventually[Found](self, find: Callable[[], Found | None], awaited: str) -> Found:
        """Call ``find`` until it returns a true value. Raises ``TimeoutError``."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := find()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{awaited} did not come within {PATIENCE_SECONDS:g} s")
            time.sleep(0.2 if self.target.processes else 2)
        return found


def key_of(request: Mapping[str, Any]) -> str:
    """Return the id of a request in the HTTP API's paths."""
    return request_key(request["tenant"], request["request_id"])


def _read(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None
