"""``python count_calls.py <folder> <module> <function> <file>``: the calls that each case makes, as JSON.

AWS is moto, which stores what is written; Close is the server at CLOSE_API_URL. The first request is not counted: it
fetches the tenant's credential, which is kept.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

folder, module, function, file = sys.argv[1:]

import boto3  # noqa: E402
import events  # type: ignore[import-not-found]  # noqa: E402
import httpx  # noqa: E402
import stubbed_world  # type: ignore[import-not-found]  # noqa: E402
import write_units  # type: ignore[import-not-found]  # noqa: E402
from botocore.client import BaseClient  # noqa: E402
from moto import mock_aws  # noqa: E402

calls: Counter[str] = Counter()
indexes = [write_units.Index(*each) for each in json.loads(os.environ["LEDGER_INDEXES"])]


def main() -> None:
    with mock_aws():
        make_resources()
        count_from_now_on()
        sys.path.insert(0, folder)
        handler = __import__(module, fromlist=["lambda_handler"])
        Path(file).write_text(json.dumps(dict(cases(handler.lambda_handler))), encoding="utf-8")


def cases(handle: Callable[[Any, Any], Any]) -> Iterator[tuple[str, dict[str, int]]]:
    """Name of each case, and its calls."""

    def send(*bodies: str) -> None:
        event = events.sqs_event(list(bodies)) if function == "worker" else events.http_event(bodies[0])
        answer = handle(event, events.Context)
        if answer.get("batchItemFailures") or answer.get("statusCode", 200) not in {200, 201}:
            sys.exit(f"{module} failed: {answer}")

    def counted(*bodies: str) -> dict[str, int]:
        calls.clear()
        send(*bodies)
        return dict(calls)

    send(events.body("first"))
    yield "create", counted(events.body("second"))
    yield "another request for a type", counted(events.body("third", name="Subscription second"))
    yield "repeat of a settled request", counted(events.body("second"))
    if module.startswith("provisioner."):
        yield "a blueprint of 3 types, 15 fields", counted(events.blueprint("sixth"))
        yield "the same again, under another id", counted(events.blueprint("seventh"))
    if function == "worker":
        yield "ten copies in one batch", counted(*[events.body("fourth")] * 10)
        yield "ten requests for one type", counted(*(events.body(f"fifth-{each}", name="One") for each in range(10)))


def make_resources() -> None:
    """Create the resources of template.yaml that a handler calls, and set the variables that name them."""
    boto3.client("dynamodb").create_table(
        TableName=os.environ["LEDGER_TABLE_NAME"],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    secret = f"{os.environ['TENANT_SECRET_PREFIX']}/acme"
    boto3.client("secretsmanager").create_secret(Name=secret, SecretString=stubbed_world.API_KEY)
    os.environ["OUTCOMES_TOPIC_ARN"] = boto3.client("sns").create_topic(Name="outcomes")["TopicArn"]
    for variable in ("PROVISIONING_QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "EVENTS_DEAD_LETTER_QUEUE_URL"):
        name = variable.removesuffix("_URL").lower()
        os.environ[variable] = boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"]


def _writes(operation: str, parameters: Any) -> list[Any]:
    """Return the key of each item that the call writes."""
    if operation == "TransactWriteItems":
        return [key for each in parameters["TransactItems"] for kind, one in each.items() for key in [_key(kind, one)]]
    return [_key(operation, parameters)] if operation in {"PutItem", "UpdateItem", "DeleteItem"} else []


def _key(kind: str, write: Any) -> Any:
    return {"pk": write["Item"]["pk"]} if kind.startswith("Put") else write["Key"]


def count_from_now_on() -> None:
    make_api_call = BaseClient._make_api_call
    handle_request = httpx.HTTPTransport.handle_request

    def counted_api_call(client: Any, operation: str, parameters: Any) -> Any:
        service = client.meta.service_model.service_name
        calls[f"{service} {operation}"] += 1
        if service != "dynamodb":
            return make_api_call(client, operation, parameters)
        if operation == "GetItem":
            answer = make_api_call(client, operation, parameters)
            calls["dynamodb read units"] += write_units.price_of_read(answer.get("Item", {}))
            return answer
        writes = _writes(operation, parameters)
        before = [_stored(client, each) for each in writes]
        try:
            return make_api_call(client, operation, parameters)
        finally:
            after = [_stored(client, each) for each in writes]
            in_transaction = operation == "TransactWriteItems"
            for old, new in zip(before, after, strict=True):
                cost = write_units.price(old, new, indexes, in_transaction=in_transaction)
                calls["dynamodb write units"] += cost

    def _stored(client: Any, key: Any) -> Any:
        parameters = {"TableName": os.environ["LEDGER_TABLE_NAME"], "Key": key, "ConsistentRead": True}
        return make_api_call(client, "GetItem", parameters).get("Item", {})

    def counted_request(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        calls[f"Close {request.method}"] += 1
        return handle_request(transport, request)

    BaseClient._make_api_call = counted_api_call
    httpx.HTTPTransport.handle_request = counted_request  # type: ignore[assignment,method-assign]


main()
