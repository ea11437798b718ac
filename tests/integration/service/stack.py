"""The whole service in one process: the real parts, AWS by locked moto, Close by the simulator over real HTTP."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.checks.translated import translated
from infra.simulator import ControlClient
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.handlers.api import Api
from provisioner.handlers.sweeper import Sweeper
from provisioner.handlers.worker import Worker
from provisioner.service import Service
from tests.fakes import Clock
from tests.handlers import SETTINGS
from tests.integration.service.locked_moto import client, make_table
from tests.strict_aws.judge import Judge, judge_of

CALLER = "arn:aws:sts::111122223333:assumed-role/signup/i-0abc"


@dataclass
class Sent:
    """A message on the provisioning queue, and how long it was to be held back."""

    body: str
    delay: float


class Stack:
    """One service with a table, queues and a topic of its own. Its clock stands still until a test advances it."""

    def __init__(self, close: ControlClient, **settings: Any) -> None:
        self.close = close
        self.clock = Clock(time.time())  # the simulator dates what it creates
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self.organizations: dict[str, str] = {}
        self._services: list[Service] = []
        make_table(self.name)
        arn = client("sns").create_topic(Name=self.name)["TopicArn"]
        outcomes = client("sqs").create_queue(QueueName=f"{self.name}-outcomes")["QueueUrl"]
        client("sns").subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:eu-central-1:123456789012:{self.name}-outcomes",
            Attributes={"RawMessageDelivery": "true"},
        )
        self._outcomes_url = outcomes
        places = {
            "ledger_table_name": self.name,
            "provisioning_queue_url": client("sqs").create_queue(QueueName=self.name)["QueueUrl"],
            "dead_letter_queue_url": client("sqs").create_queue(QueueName=f"{self.name}-dead")["QueueUrl"],
            "outcomes_topic_arn": arn,
            "events_dead_letter_queue_url": client("sqs").create_queue(QueueName=f"{self.name}-dead-events")[
                "QueueUrl"
            ],
            "tenant_secret_prefix": self.name,
            "source_secret_prefix": f"{self.name}-sources",
            "close_api_url": close.api_url,
        }
        self.settings = SETTINGS.model_copy(update=places | settings)
        self.service = self.new_service()
        self.time_left: Callable[[], float] = lambda: 60

    def new_service(self) -> Service:
        """Another execution environment: nothing shared but what is outside."""
        self._services.append(Service.from_settings(self.settings, self.clock))
        return self._services[-1]

    def judge(self) -> Judge:
        """Return a judge of what functions of this stack ask of AWS."""
        environment = {name.upper(): str(value) for name, value in self.settings.model_dump().items()}
        return judge_of(translated(), environment, "123456789012", "eu-central-1")

    def stop(self) -> None:
        for each in self._services:
            each.http.close()

    def add_tenant(self, tenant: str, *, secret: Any = None, **organization: Any) -> str:
        """Add an organization at Close and its secret: the API key, or the result of ``secret``.

        Answers the organization's id.
        """
        made = self.close.add_organization(name=tenant, **organization)
        [key] = made["keys"]
        self.organizations[tenant] = made["id"]
        self.set_secret(tenant, secret(key, made["id"]) if secret else key)
        return str(made["id"])

    def set_secret(self, tenant: str, text: str) -> None:
        name = f"{self.name}/{tenant}"
        try:
            client("secretsmanager").create_secret(Name=name, SecretString=text)
        except client("secretsmanager").exceptions.ResourceExistsException:
            client("secretsmanager").put_secret_value(SecretId=name, SecretString=text)

    def arm(self, fault: str, tenant: str = "acme", *, method: str = "POST", **further: Any) -> None:
        aim = {"organization": self.organizations[tenant], "method": method}
        self.close.arm(fault, aim=aim, **further)

    def types(self, tenant: str = "acme") -> list[str]:
        """Names of the types that really are in the organization."""
        return [each["name"] for each in self.close.types(self.organizations[tenant])]

    def creates(self, tenant: str = "acme") -> int:
        """How many creates were sent, whatever became of them."""
        return len(self.close.requests(self.organizations[tenant], method="POST"))

    def post(self, request: ProvisioningRequest, service: Service | None = None, **headers: str) -> dict[str, Any]:
        """Call the HTTP API. Return {"status", "headers", and the body's keys}."""
        event = {
            "resource": "/v1/provisioning-requests",
            "httpMethod": "POST",
            "multiValueHeaders": {name.replace("_", "-"): [value] for name, value in headers.items()},
            "body": as_given(request),
            "isBase64Encoded": False,
            "requestContext": {"identity": {"userArn": CALLER}},
        }
        answer = Api(service or self.service).answer(event, lambda: 28)
        return {"status": answer["statusCode"], "headers": answer["headers"], **json.loads(answer["body"])}

    def work(self, *bodies: str, service: Service | None = None, receive_count: int = 1) -> list[str]:
        """Deliver a batch to the worker. Return the ids of the messages to deliver again."""
        records = [
            {
                "messageId": f"message-{number}",
                "receiptHandle": f"handle-{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receive_count), "SentTimestamp": "1800000000000"},
            }
            for number, body in enumerate(bodies)
        ]
        answer = Worker(service or self.service).work(records, self.time_left)
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def sweep(self) -> dict[str, int]:
        return Sweeper(self.service).sweep(lambda: 60)

    def waiting(self) -> list[Sent]:
        """Takes all messages off the provisioning queue, those that are held back included."""
        return [Sent(each.body, _delay(each)) for each in _take_all(self.name)]

    def dead_letters(self) -> list[Any]:
        return _take_all(f"{self.name}-dead")

    def events(self) -> list[dict[str, Any]]:
        """Takes all events off the queue that hears the topic."""
        return [json.loads(each.body) for each in _take_all(f"{self.name}-outcomes")]

    def results(self) -> list[tuple[str, str]]:
        """(request id, result) of all events."""
        return [(each["data"]["request_id"], each["data"]["result"]) for each in self.events()]

    def settle(self, request: ProvisioningRequest, runs: int = 12) -> tuple[Outcome, int]:
        """Work on it past every wait, as the queue would. Answers the outcome, and how many runs it took."""
        bodies = [Sent(request.to_json(), 0)]
        for run in range(1, runs + 1):
            assert self.work(*(each.body for each in bodies)) == []
            found = self.service.ledger.find(request.id)
            if found and found.outcome:
                return found.outcome, run
            bodies = self.waiting()
            self.clock.advance(max(each.delay for each in bodies) + 0.01)
        raise AssertionError(f"not settled after {runs} runs")


def as_given(request: ProvisioningRequest) -> str:
    """The body as its caller sent it: a blueprint without the types that were filled in."""
    document = json.loads(request.to_json())
    if request.blueprint:
        document.pop("custom_object_types")
    return json.dumps(document)


def _delay(message: Any) -> float:
    """Seconds that a message of moto's is held back."""
    return float(max(round((message.delayed_until - message.sent_timestamp) / 1000), 0))


def _take_all(queue: str) -> list[Any]:
    """moto's own messages: a receive would not hand out those that are held back."""
    from moto.sqs.models import sqs_backends  # noqa: PLC0415 - moto is to be imported once the environment is set

    stored = sqs_backends["123456789012"]["eu-central-1"].queues[queue]._messages
    taken = list(stored)
    stored.clear()
    return taken
