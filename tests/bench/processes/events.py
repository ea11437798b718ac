"""The events that Lambda passes to a handler. Imports nothing, so that a measured process pays for nothing."""


class Context:
    """The context of an invocation, with all the time in the world."""

    function_name = "bench"
    function_version = "1"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-east-1:111122223333:function:bench"
    aws_request_id = "5e0e0f2e-6d1b-4b5c-8a5c-0c1d2e3f4a5b"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 28_000


def body(request_id: str, tenant: str = "acme", name: str | None = None) -> str:
    """A request for a type of that name (by default a name made from the request id)."""
    name = name or f"Subscription {request_id}"
    return (
        f'{{"tenant": "{tenant}", "request_id": "{request_id}", "custom_object_type": '
        f'{{"name": "{name}", "name_plural": "{name}s", "description": "What the customer pays for"}}}}'
    )


def blueprint(request_id: str, tenant: str = "acme") -> str:
    """A request for the types of a blueprint."""
    return (
        f'{{"tenant": "{tenant}", "request_id": "{request_id}", "blueprint": "saas-subscriptions", '
        f'"values": {{"product": "Acme Cloud"}}}}'
    )


def http_event(body: str) -> dict[str, object]:
    """POST /v1/provisioning-requests, as API Gateway's REST proxy integration sends it."""
    return {
        "resource": "/v1/provisioning-requests",
        "path": "/v1/provisioning-requests",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "Host": "abc.execute-api.us-east-1.amazonaws.com"},
        "multiValueHeaders": {
            "Content-Type": ["application/json"],
            "Host": ["abc.execute-api.us-east-1.amazonaws.com"],
        },
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/v1/provisioning-requests",
            "httpMethod": "POST",
            "path": "/live/v1/provisioning-requests",
            "stage": "live",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def sqs_event(bodies: list[str]) -> dict[str, object]:
    """A batch of messages, as Lambda's poller sends it."""
    return {
        "Records": [
            {
                "messageId": f"059f36b4-87a3-44ab-83d2-{number:012d}",
                "receiptHandle": f"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a{number}",
                "body": text,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1545082649183",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1545082649185",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:provisioning",
                "awsRegion": "us-east-1",
            }
            for number, text in enumerate(bodies)
        ]
    }


def webhook_event(request_id: str) -> dict[str, object]:
    """POST /v1/webhooks/stripe, signed just now, as API Gateway sends it where bodies are binary."""
    import base64  # noqa: PLC0415 - what is measured imports them first
    import hmac  # noqa: PLC0415
    import time  # noqa: PLC0415

    from stubbed_world import SIGNING_SECRET  # type: ignore[import-not-found]  # noqa: PLC0415

    text = (
        f'{{"id": "evt_{request_id}", "object": "event", "type": "customer.created", "livemode": true, "data": '
        '{"object": {"id": "cus_TTn5uYk0Qe4mZ1", "object": "customer", "metadata": {"tenant_id": "acme"}}}}'
    )
    now = int(time.time())
    digest = hmac.digest(SIGNING_SECRET.encode(), f"{now}.{text}".encode(), "sha256").hex()
    headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={now},v1={digest}"}
    return http_event(text) | {
        "resource": "/v1/webhooks/{source}",
        "path": "/v1/webhooks/stripe",
        "pathParameters": {"source": "stripe"},
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": base64.b64encode(text.encode()).decode(),
        "isBase64Encoded": True,
    }


def event(function: str, request_id: str) -> dict[str, object]:
    """Return one request for a function: ``api``, ``webhooks``, ``worker`` or ``sweeper``."""
    if function == "sweeper":
        return {}
    if function == "webhooks":
        return webhook_event(request_id)
    text = body(request_id)
    return http_event(text) if function == "api" else sqs_event([text])
