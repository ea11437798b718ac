"""The built artifact under the real Lambda runtime: each handler starts and responds.

These tests find files that are missing from the artifact: the local AWS runs functions on an interpreter with packages
of its own. A small server replaces AWS, so that each handler also calls the services that it needs.
"""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.build import artifact
from infra.local.webhook_events import Event
from provisioner.ledger.items import SHARDS
from tests.e2e.runtime import Function, copy_runtime_client, emulated
from tests.integration.test_artifact import HERE

PUBLISHED = """<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
<MessageId>1</MessageId></PublishResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PublishResponse>"""
CREDENTIAL = "api_2KBJ9t.hush"
JSON_RESPONSES = {
    "secretsmanager.GetSecretValue": {"Name": "close-provisioner/tenants/default", "SecretString": CREDENTIAL},
    "DynamoDB_20120810.PutItem": {},
    "DynamoDB_20120810.TransactWriteItems": {},
    "DynamoDB_20120810.GetItem": {},
    "DynamoDB_20120810.Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    "AmazonSQS.SendMessage": {"MessageId": "1", "MD5OfMessageBody": "0" * 32},
}


@dataclass
class StandIn:
    """A replacement of AWS for the few calls of these tests, with a record of them."""

    port: int = 0
    calls: list[str] = field(default_factory=list)


@pytest.fixture
def aws() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Responder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            target = self.headers.get("X-Amz-Target")
            stand_in.calls.append(target or "SNS")
            body = json.dumps(JSON_RESPONSES[target]) if target else PUBLISHED
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0" if target else "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Responder) as server:
        stand_in.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield stand_in
        server.shutdown()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact")
    artifact.build(HERE, folder)
    return folder


@pytest.fixture(scope="module")
def runtime_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    copy_runtime_client(folder)
    return folder


@pytest.fixture
def start(built: Path, runtime_client: Path, aws: StandIn, tmp_path: Path) -> Any:
    """Return a function that starts a handler by its name."""
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws.port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
        "LEDGER_TABLE_NAME": "ledger",
        "PROVISIONING_QUEUE_URL": f"http://127.0.0.1:{aws.port}/queue",
        "DEAD_LETTER_QUEUE_URL": f"http://127.0.0.1:{aws.port}/dead",
        "EVENTS_DEAD_LETTER_QUEUE_URL": f"http://127.0.0.1:{aws.port}/dead-events",
        "OUTCOMES_TOPIC_ARN": "arn:aws:sns:us-east-1:111122223333:outcomes",
        "TENANT_SECRET_PREFIX": "close-provisioner/tenants",
        "SOURCE_SECRET_PREFIX": "close-provisioner/sources",
        "TENANT_WAIT_DAYS": "3",
        "EVENT_SOURCE": "/close-provisioner/test",
        "CLOSE_API_URL": "https://api.close.com/api/v1/",
        "CLOSE_TIMEOUT_SECONDS": "20",
        "LIST_LAG_SECONDS": "60",
        "OBSERVATION_MAX_AGE_SECONDS": "60",
        "LEASE_SECONDS": "90",
        "FALLBACK_DELAY_SECONDS": "30",
        "WAIT_LIMIT_SECONDS": "21600",
        "MAX_RECEIVES": "5",
        "REQUEST_RETENTION_DAYS": "90",
        "POWERTOOLS_SERVICE_NAME": "close-provisioner",
        "POWERTOOLS_METRICS_NAMESPACE": "CloseProvisioner",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    return lambda name, **more: emulated(
        built, runtime_client, f"provisioner.handlers.{name}.lambda_handler", environment | more, tmp_path / "log"
    )


def http(method: str, resource: str, body: str | None = None, **parameters: str) -> dict[str, Any]:
    """Return an event of a REST API."""
    return {
        "resource": resource,
        "path": resource.format(**parameters),
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "pathParameters": parameters or None,
        "requestContext": {"requestId": "1", "stage": "live", "path": f"/live{resource}"},
        "body": base64.b64encode(body.encode()).decode() if body is not None else None,
        "isBase64Encoded": body is not None,
    }


def problem(response: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(response["body"])
    return content


def test_the_api_handler_runs(start: Any, aws: StandIn) -> None:
    function: Function
    with start("api") as function:
        unknown = function.invoke(http("GET", "/v1/provisioning-requests/{id}", id="0" * 32))
        malformed = function.invoke(http("POST", "/v1/provisioning-requests", "{"))
    assert unknown["statusCode"] == 404, unknown
    assert problem(unknown)["status"] == 404
    assert malformed["statusCode"] == 400, malformed
    assert problem(malformed)["status"] == 400
    assert aws.calls == ["DynamoDB_20120810.GetItem"]


def test_no_credential_is_logged_even_at_the_lowest_level(start: Any, aws: StandIn, tmp_path: Path) -> None:
    """Set Lambda's log level, which is that of the root logger: at DEBUG, the SDKs would log whole responses."""
    body = {"request_id": "1", "custom_object_type": {"name": "Order", "name_plural": "Orders"}}
    event = http("POST", "/v1/provisioning-requests", json.dumps(body))
    event["multiValueHeaders"]["Prefer"] = ["respond-async"]
    levels = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "DEBUG", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
    with start("api", **levels) as function:
        response = function.invoke(event)
    assert response["statusCode"] == 202, response
    assert "secretsmanager.GetSecretValue" in aws.calls
    log = (tmp_path / "log").read_text()
    assert '"service":"close-provisioner"' in log or "CloseProvisioner" in log, log
    assert CREDENTIAL not in log


def test_the_webhooks_handler_runs(start: Any, aws: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"SecretString": json.dumps({"secrets": ["whsec_of_stripe_0123"]})}
    monkeypatch.setitem(JSON_RESPONSES, "secretsmanager.GetSecretValue", held)
    event = Event.of("stripe", "customer.created", "acme")
    sent = event.sent(["whsec_of_stripe_0123"])
    signed = http("POST", "/v1/webhooks/{source}", sent.body.decode(), source="stripe")
    signed["multiValueHeaders"] |= {name: [value] for name, value in sent.headers.items()}
    unsigned = http("POST", "/v1/webhooks/{source}", sent.body.decode(), source="stripe")
    unknown = http("POST", "/v1/webhooks/{source}", "{}", source="unknown")
    with start("webhooks") as function:
        responses = [function.invoke(each) for each in (signed, unsigned, unknown)]
    assert [response["statusCode"] for response in responses] == [202, 401, 404], responses
    assert aws.calls == [
        "secretsmanager.GetSecretValue",
        "DynamoDB_20120810.TransactWriteItems",
        "AmazonSQS.SendMessage",
    ]


def test_the_worker_handler_runs(start: Any, aws: StandIn) -> None:
    record = {
        "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
        "receiptHandle": "handle",
        "body": "{",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795478005000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:queue",
        "awsRegion": "us-east-1",
    }
    with start("worker") as function:
        response = function.invoke({"Records": [record]})
    assert response == {"batchItemFailures": []}
    assert aws.calls == ["SNS", "AmazonSQS.SendMessage"]


def test_the_sweeper_handler_runs(start: Any, aws: StandIn) -> None:
    with start("sweeper") as function:
        response = function.invoke({})
    assert "errorType" not in response
    assert aws.calls == ["DynamoDB_20120810.Query"] * SHARDS


def test_an_incomplete_artifact_fails(built: Path, runtime_client: Path, start: Any, tmp_path: Path) -> None:
    """Remove one package, to prove that the tests above would find it missing."""
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in built.iterdir():
        if path.name != "httpx":
            (broken / path.name).symlink_to(path)
    with emulated(
        broken, runtime_client, "provisioner.handlers.worker.lambda_handler", {}, tmp_path / "log"
    ) as function:
        response = function.invoke({"Records": []})
    assert response["errorType"] == "Runtime.ImportModuleError"
    assert "httpx" in response["errorMessage"]
