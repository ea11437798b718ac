"""The handlers as Lambda calls them: an event, a context, and the environment that the template sets."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from provisioner import aws as aws_clients
from provisioner.handlers import api, sweeper, worker
from provisioner.settings import Settings
from tests.fakes import a_request
from tests.integration.service.stack import Stack

HANDLERS = [api, worker, sweeper]


@dataclass
class LambdaContext:
    """As Lambda gives it. Milliseconds."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:111122223333:function:function"
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture
def deployed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the environment, and forget that of other tests."""
    for name, value in stack.settings.model_dump().items():
        monkeypatch.setenv(name.upper(), str(value))
    for handler in HANDLERS:
        handler._service.cache_clear()
    yield stack
    for handler in HANDLERS:
        if handler._service.cache_info().currsize:
            handler._service().service.http.close()
        handler._service.cache_clear()


def post_event(request_id: str) -> dict[str, Any]:
    return {
        "resource": "/v1/provisioning-requests",
        "httpMethod": "POST",
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "body": a_request(request_id).to_json(),
        "isBase64Encoded": False,
    }


def record(body: str) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1800000000000"}
    return {"messageId": "message-1", "receiptHandle": "handle-1", "body": body, "attributes": attributes}


def test_one_type_through_all_three_handlers(deployed: Stack) -> None:
    answer = api.lambda_handler(post_event("1"), LambdaContext())
    assert (answer["statusCode"], json.loads(answer["body"])["outcome"]["result"]) == (201, "created")

    event = {"Records": [record(a_request("2").to_json()), {**record("{"), "messageId": "message-2"}]}
    assert worker.lambda_handler(event, LambdaContext()) == {"batchItemFailures": []}

    assert sweeper.lambda_handler({"detail-type": "Scheduled Event"}, LambdaContext()) == {
        "Unsettled": 0, "Unannounced": 0, "RequeueFailed": 0, "Backlog": 0
    }  # fmt: skip
    assert sorted(deployed.results()) == [("1", "created"), ("2", "unchanged"), ("message-2", "failed")]


def test_the_service_is_built_once(deployed: Stack) -> None:
    api.lambda_handler(post_event("1"), LambdaContext())
    first = api._service()
    api.lambda_handler(post_event("2"), LambdaContext())

    assert api._service() is first


@pytest.mark.parametrize(
    ("handler", "event"),
    [
        (api.lambda_handler, post_event("1")),
        (worker.lambda_handler, {"Records": [record(a_request().to_json())]}),
        (sweeper.lambda_handler, {}),
    ],
)
def test_an_incomplete_environment_stops_the_start(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, handler: Callable[..., Any], event: Any
) -> None:
    monkeypatch.delenv("LEDGER_TABLE_NAME")

    with pytest.raises(ValidationError, match="ledger_table_name"):
        handler(event, LambdaContext())


def test_its_own_clients_are_bounded(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call to AWS ends long before the function does."""
    monkeypatch.undo()
    client = aws_clients.make_clients()("sqs")

    config = client.meta.config
    assert config.connect_timeout + config.read_timeout <= 3
    assert config.retries["total_max_attempts"] == 3
    assert config.max_pool_connections >= aws_clients.MAX_CONCURRENT_TENANTS


def test_settings_come_from_the_environment(deployed: Stack) -> None:
    assert Settings.from_env() == deployed.settings
