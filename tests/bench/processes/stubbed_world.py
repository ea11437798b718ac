"""AWS and Close without a network: canned answers at the lowest seam of botocore and httpx, the same for everybody.

Everything above that seam is real: models, signing, serializing, parsing, both clients' pools of connections apart.
Imports only what the measured program has imported anyway.
"""

import json
import re
from typing import Any

API_KEY = "api_0aKey.0aSecret"
SIGNING_SECRET = "whsec_0aSecret0aSecret0aSecret0aSecr"

ORGANIZATION = "orga_4Yvz2GfH6BvTXQ6NwPqNwW"

_ANOTHER_TYPE = {"id": "cotype_1Yvz2GfH6BvTXQ6NwPqNwW", "name": "Deal", "organization_id": ORGANIZATION, "fields": []}
_TYPES: dict[str, Any] = {"data": [_ANOTHER_TYPE]}
_NOTHING = b"{}"
_ASSIGNED = re.compile(r"\w+(?= = )|(?<=ADD )\w+|:\w+")
_AWS_ANSWERS = {
    "DynamoDB_20120810.Query": b'{"Items": [], "Count": 0, "ScannedCount": 0}',
    "secretsmanager.GetSecretValue": json.dumps({"Name": "acme", "SecretString": API_KEY}).encode(),
    "AmazonSQS.SendMessage": b'{"MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d"}',
}
_PUBLISHED = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>94f20ce6-13c5'
    b"</MessageId></PublishResult><ResponseMetadata><RequestId>f187a3c1</RequestId></ResponseMetadata></PublishResponse>"
)

_PUBLISHED_BATCH = (
    '<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Failed/><Successful>'
    + "".join(f"<member><Id>{each}</Id><MessageId>94f20ce6-{each}</MessageId></member>" for each in range(10))
    + "</Successful></PublishBatchResult></PublishBatchResponse>"
).encode()


def stub_aws() -> None:
    """From now on no botocore client of this process reaches a network."""
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - what is measured imports it first
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415

    def send(_session: object, request: Any) -> Any:
        response = AWSResponse(request.url, 200, {"x-amzn-requestid": "f187a3c1"}, None)
        response._content = _aws_answer(request)
        return response

    URLLib3Session.send = send


def _aws_answer(request: Any) -> bytes:
    target = request.headers.get("X-Amz-Target", b"")
    target = target.decode() if isinstance(target, bytes) else target
    if not target:
        return _PUBLISHED_BATCH if "Action=PublishBatch" in _text(request.body) else _PUBLISHED
    if target == "secretsmanager.GetSecretValue" and b"/sources/" in request.body:
        return json.dumps({"Name": "stripe", "SecretString": json.dumps({"secrets": [SIGNING_SECRET]})}).encode()
    if target.endswith(".GetItem") and b'"TENANT#' in request.body:
        return json.dumps({"Item": {"organization": {"S": ORGANIZATION}}}).encode()
    if target.endswith(".UpdateItem") and b'"ALL_NEW"' in request.body:
        return _updated(json.loads(request.body))
    return _AWS_ANSWERS.get(target, _NOTHING)


def _text(body: str | bytes) -> str:
    return body.decode() if isinstance(body, bytes) else body


def _updated(update: dict[str, Any]) -> bytes:
    """Return the item that an update creates: each attribute has the last value that its assignment names."""
    item, attribute = {}, ""
    for word in _ASSIGNED.findall(update["UpdateExpression"]):
        if word.startswith(":"):
            item[attribute] = update["ExpressionAttributeValues"][word]
        else:
            attribute = word
    return json.dumps({"Attributes": update["Key"] | item}).encode()


def _created(body: bytes) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(body)
    return spec | {
        "id": "cotype_4Yvz2GfH6BvTXQ6NwPqNwW",
        "organization_id": ORGANIZATION,
        "date_created": "2026-11-24T09:00:00.000000",
        "fields": [],
    }


def stub_close() -> None:
    """From now on no httpx client of this process reaches a network. The organization has another type."""
    import httpx  # noqa: PLC0415

    def handle_request(_transport: object, request: Any) -> Any:
        status, answer = (200, _TYPES) if request.method == "GET" else (201, _created(request.read()))
        headers = [("content-type", "application/json"), ("ratelimit", "limit=160, remaining=159, reset=8")]
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(json.dumps(answer).encode()))

    httpx.HTTPTransport.handle_request = handle_request  # type: ignore[assignment,method-assign]
