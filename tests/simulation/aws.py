"""DynamoDB, SQS, SNS and Secrets Manager behind real botocore clients, at the seam where botocore would open a socket.

DynamoDB is moto's, so that conditions are really evaluated; the caller's lock makes its writes atomic, which they are
not under threads by themselves. SQS and SNS are small models of our own, since moto's clock cannot be driven.
"""

import itertools
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from moto.core.model_instances import reset_model_data
from moto.core.request import normalize_request
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.responses import DynamoHandler

from tests.simulation.queues import InvalidParameter, SimulatedQueue

ACCOUNT, REGION = "123456789012", "us-east-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:outcomes"
READ_TIMEOUT_SECONDS = 5.0

_THROTTLING = {"dynamodb": "ProvisionedThroughputExceededException", "sns": "Throttled"}


@dataclass(frozen=True, slots=True)
class AwsOperation:
    """One call to AWS: ``parameters`` as the protocol carries them."""

    service: str
    name: str
    parameters: dict[str, Any]

    @classmethod
    def of(cls, request: AWSPreparedRequest) -> "AwsOperation":
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
        target = request.headers.get("X-Amz-Target")
        if target:
            prefix, _, name = (target.decode() if isinstance(target, bytes) else target).partition(".")
            service = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "secretsmanager": "secretsmanager"}[prefix]
            return cls(service, name, json.loads(body))
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        return cls("sns", form["Action"], form)


@dataclass(slots=True)
class AwsFailures:
    """How one AWS service says what went wrong, to this request."""

    request: AWSPreparedRequest
    service: str
    refuse_some: Callable[..., AWSResponse]
    latency: float = 0.005
    timeout: float = READ_TIMEOUT_SECONDS

    def error(self) -> AWSResponse:
        return _refusal(self.request, self.service, 500, "InternalServerError")

    def throttled(self) -> AWSResponse:
        return _refusal(self.request, self.service, 400, _THROTTLING.get(self.service, "ThrottlingException"))

    def lost(self) -> Exception:
        lost: Exception = ConnectionClosedError(endpoint_url=self.request.url)
        return lost

    def lost_then_throttled(self) -> Exception:
        return self.lost()

    def timed_out(self) -> Exception:
        late: Exception = ReadTimeoutError(endpoint_url=self.request.url)
        return late

    def garbled(self) -> Exception:
        return self.lost()

    def partial(self, *, carried_out: bool) -> AWSResponse:
        return self.refuse_some(carried_out=carried_out)


@dataclass(frozen=True, slots=True)
class PublishedMessage:
    """One message on the topic."""

    message: str
    attributes: dict[str, str]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.message)
        return event


@dataclass(slots=True)
class SimulatedAws:
    """The account. ``secrets`` by name."""

    queues: dict[str, SimulatedQueue]
    secrets: dict[str, str] = field(default_factory=dict)
    published: list[PublishedMessage] = field(default_factory=list)

    def carry_out(self, operation: AwsOperation, request: AWSPreparedRequest) -> AWSResponse:
        if operation.service == "dynamodb":
            normal = normalize_request(request)
            status, headers, body = DynamoHandler.dispatch(normal, normal.raw_url, normal.headers)
            return _response(request, status, body, headers)
        serve: dict[str, Callable[[dict[str, Any], AWSPreparedRequest], AWSResponse]] = {
            "SendMessage": self._send,
            "ChangeMessageVisibility": self._hide,
            "Publish": self._publish,
            "PublishBatch": self._publish_batch,
            "GetSecretValue": self._secret,
        }
        return serve[operation.name](operation.parameters, request)

    def _send(self, asked: dict[str, Any], request: AWSPreparedRequest) -> AWSResponse:
        group, delay = asked.get("MessageGroupId", ""), asked.get("DelaySeconds", 0)
        try:
            queue = self.queues[asked["QueueUrl"]]
            message = queue.send(asked["MessageBody"], delay, group, asked.get("MessageAttributes"))
        except InvalidParameter as error:
            return _refusal(request, "sqs", 400, "InvalidParameterValue", str(error))
        return _response(request, 200, json.dumps({"MessageId": message.id}))

    def _hide(self, asked: dict[str, Any], request: AWSPreparedRequest) -> AWSResponse:
        try:
            self.queues[asked["QueueUrl"]].hide(asked["ReceiptHandle"], asked["VisibilityTimeout"])
        except InvalidParameter as error:
            return _refusal(request, "sqs", 400, "InvalidParameterValue", str(error))
        return _response(request, 200, "{}")

    def _publish(self, asked: dict[str, Any], request: AWSPreparedRequest) -> AWSResponse:
        self.published.append(_message_of(asked))
        return _sns_response(request, "Publish", f"<MessageId>{len(self.published)}</MessageId>")

    def _publish_batch(self, asked: dict[str, Any], request: AWSPreparedRequest) -> AWSResponse:
        self.published += map(_message_of, entries_of(asked))
        return _batch_response(request, asked, refused=[])

    def refuse_some(
        self, asked: dict[str, Any], request: AWSPreparedRequest, *, carried_out: bool = False
    ) -> AWSResponse:
        """Refuse every second entry of a batch. ``carried_out``: all of them were published all the same."""
        entries = [*entries_of(asked)]
        if not carried_out:
            self.published += map(_message_of, entries[::2])
        return _batch_response(request, asked, refused=[each["Id"] for each in entries[1::2]])

    def _secret(self, asked: dict[str, Any], request: AWSPreparedRequest) -> AWSResponse:
        name = asked["SecretId"]
        if name not in self.secrets:
            return _refusal(request, "secretsmanager", 400, "ResourceNotFoundException")
        return _response(request, 200, json.dumps({"Name": name, "SecretString": self.secrets[name]}))


def entries_of(asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a PublishBatch, each with its parameters as the protocol carries them."""
    for number in itertools.count(1):
        prefix = f"PublishBatchRequestEntries.member.{number}."
        if f"{prefix}Id" not in asked:
            return
        yield {key.removeprefix(prefix): value for key, value in asked.items() if key.startswith(prefix)}


def _message_of(asked: Mapping[str, Any]) -> PublishedMessage:
    names = {key: value for key, value in asked.items() if re.fullmatch(r"MessageAttributes\.entry\.\d+\.Name", key)}
    attributes = {name: asked[key.replace(".Name", ".Value.StringValue")] for key, name in names.items()}
    return PublishedMessage(asked["Message"], attributes)


def _batch_response(request: AWSPreparedRequest, asked: Mapping[str, Any], refused: Collection[str]) -> AWSResponse:
    ids = [each["Id"] for each in entries_of(asked)]
    taken = [f"<member><Id>{each}</Id><MessageId>{each}</MessageId></member>" for each in ids if each not in refused]
    why = "<Code>InternalError</Code><SenderFault>false</SenderFault>"
    failed = [f"<member><Id>{each}</Id>{why}</member>" for each in refused]
    body = f"<Successful>{''.join(taken)}</Successful><Failed>{''.join(failed)}</Failed>"
    return _sns_response(request, "PublishBatch", body)


def _sns_response(request: AWSPreparedRequest, operation: str, result: str) -> AWSResponse:
    result = f"<{operation}Result>{result}</{operation}Result>"
    body = f'<{operation}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{result}</{operation}Response>'
    return _response(request, 200, body)


def _response(
    request: AWSPreparedRequest, status: int, body: str | bytes, headers: dict[str, str] | None = None
) -> AWSResponse:
    data = body.encode() if isinstance(body, str) else body
    return AWSResponse(request.url, status, headers or {}, _Raw(data))


def _refusal(request: AWSPreparedRequest, service: str, status: int, code: str, text: str = "") -> AWSResponse:
    if service == "sns":
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
        return _response(request, status, f"<ErrorResponse>{error}</ErrorResponse>")
    return _response(request, status, json.dumps({"__type": f"com.amazonaws#{code}", "message": text}))


@dataclass(frozen=True, slots=True)
class _Raw:
    """The body that urllib3 would stream."""

    body: bytes

    def stream(self, **_: Any) -> Any:
        yield self.body


def empty_table(name: str) -> None:
    """The ledger's table, empty; made by a real client, the first time.

    moto keeps every item that it ever made, for its dashboard: a whole matrix would grow to gigabytes.
    """
    reset_model_data()
    tables = dynamodb_backends[ACCOUNT][REGION].tables
    if name in tables:
        tables[name].items.clear()
        return
    dynamodb_backends[ACCOUNT][REGION].reset()
    tables = dynamodb_backends[ACCOUNT][REGION].tables
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind}
            for attribute, kind in (("pk", "S"), ("unfinished", "S"), ("due_at", "N"))
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "unfinished",
                "KeySchema": [
                    {"AttributeName": "unfinished", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def items(table: str) -> dict[str, dict[str, Any]]:
    """The table's items by ``pk``, in DynamoDB's JSON: read past every client, so that no fault can hide anything."""
    found = dynamodb_backends[ACCOUNT][REGION].tables[table].all_items()
    return {item.hash_key.value: item.to_json()["Attributes"] for item in found}
