"""Names for calls: what is done and to whom, the same in every run, so that a fault can be aimed by name."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.simulation.aws import AwsOperation, entries_of
from tests.simulation.close_transport import name_in_body


def aws_label(operation: AwsOperation) -> str:
    return f"{operation.service}.{operation.name} {_LABELS[operation.service](operation)}"


def close_label(request: httpx.Request, tenant: str) -> str:
    """Like ``close.POST custom_object_type/ of acme "Account"``."""
    path = re.sub(r"(cotype|cf)_\w+", "{id}", urlsplit(str(request.url)).path.removeprefix("/api/v1/"))
    name = name_in_body(request)
    return f"close.{request.method} {path} of {tenant}" + (f" {' '.join(name.split())!r}" if name else "")


def _dynamodb(operation: AwsOperation) -> str:
    asked = operation.parameters
    if "TransactItems" in asked:
        return "+".join(_pk(next(iter(each.values()))) for each in asked["TransactItems"])
    return str(asked.get("IndexName") or _pk(asked))


def _pk(asked: dict[str, Any]) -> str:
    """The kind of the item and, where it is short, its name. Request keys are named in full elsewhere."""
    key = asked.get("Key") or asked.get("Item") or {}
    text = next((str(value["S"]) for name, value in key.items() if name in {"pk", "id"}), "?")
    return re.sub(r"([0-9a-f]{6})[0-9a-f]{26,}", r"\1", text)


def _sqs(operation: AwsOperation) -> str:
    queue = operation.parameters["QueueUrl"].rpartition("/")[2]
    if operation.name == "SendMessage":
        return f"{queue} of {_request_id(operation.parameters['MessageBody'])}"
    return f"{queue} of {operation.parameters['ReceiptHandle'].partition('/')[0]}"


def _request_id(body: str) -> str:
    try:
        return str(json.loads(body)["request_id"])
    except (ValueError, TypeError, LookupError):
        return "?"


def _sns(operation: AwsOperation) -> str:
    messages = [each["Message"] for each in entries_of(operation.parameters)] or [operation.parameters["Message"]]
    events = [json.loads(each) for each in messages]
    return f"of {', '.join(each.get('data', each).get('request_id', '?') for each in events)}"


def _secret(operation: AwsOperation) -> str:
    return str(operation.parameters["SecretId"]).rpartition("/")[2]


_LABELS = {
    "dynamodb": _dynamodb,
    "sqs": _sqs,
    "sns": _sns,
    "secretsmanager": _secret,
}
