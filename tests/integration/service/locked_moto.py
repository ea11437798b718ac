"""AWS in this process, by moto, one call at a time.

moto's conditional writes are not atomic under threads: it reads, checks and writes without a lock. DynamoDB's are.
Without the lock two of many racing writers may both win, and a race test proves nothing.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

import boto3
from botocore.client import BaseClient
from moto import mock_aws

from tests.strict_aws.call import Call

_LOCK = threading.RLock()
_recorders: dict[int, list[Call]] = {}  # by identity: the lists of two threads may be equal


@contextmanager
def locked_moto() -> Iterator[None]:
    """While it is entered, AWS is moto, and every call waits for the one before."""
    call: Any = BaseClient._make_api_call

    def one_at_a_time(*arguments: Any) -> Any:
        with _LOCK:
            sender, operation, parameters = arguments
            for recorder in _recorders.values():
                recorder.append(Call(sender.meta.service_model.service_name, operation, parameters))
            return call(*arguments)

    test_credentials = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    with (
        mock.patch.dict(os.environ, test_credentials),
        mock_aws(),
        mock.patch.object(BaseClient, "_make_api_call", one_at_a_time),
    ):
        yield


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """Yield a list that gets every call to AWS while it is entered."""
    calls: list[Call] = []
    with _LOCK:
        _recorders[id(calls)] = calls
    try:
        yield calls
    finally:
        with _LOCK:
            del _recorders[id(calls)]


@cache
def client(name: str) -> Any:
    """One client for all tests: making one takes longer than most of them."""
    return boto3.Session(region_name="eu-central-1").client(name)


def make_table(name: str) -> None:
    """The ledger's table, as template.yaml describes it."""
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "unfinished", "AttributeType": "S"},
            {"AttributeName": "due_at", "AttributeType": "N"},
            {"AttributeName": "tenant", "AttributeType": "S"},
            {"AttributeName": "list_shard", "AttributeType": "S"},
            {"AttributeName": "accepted_at", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "unfinished",
                "KeySchema": [
                    {"AttributeName": "unfinished", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
            *(_by_time(name, key) for name, key in (("by_tenant", "tenant"), ("by_time", "list_shard"))),
        ],
    )


def _by_time(name: str, key: str) -> dict[str, Any]:
    shown = ["request_id", "asked", "settled_as", "deferrals", "pending_reason", "next_at", "retry_of", "retried_as"]
    return {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": key, "KeyType": "HASH"},
            {"AttributeName": "accepted_at", "KeyType": "RANGE"},
        ],
        "Projection": {
            "ProjectionType": "INCLUDE",
            "NonKeyAttributes": shown if key == "tenant" else ["tenant", *shown],
        },
    }
