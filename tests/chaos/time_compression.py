"""Time, compressed, where the service has no setting for it: some of its calls to AWS are rewritten on their way.

A message that failed is hidden for a tenth of the time, a delayed one comes after a quarter of a minute at the latest,
and the sweeper finds all that is unfinished, as it would a day later. All of it only makes work happen earlier, and
so more often at once.
"""

import json
from typing import Any

import httpx

from infra.local.sigv4 import SigV4
from tests.chaos.proxy import RawRequest

PAUSES = 10
LONGEST_DELAY_SECONDS = 15
DAY_SECONDS = 86_400
SIGNED_AGAIN = {"authorization", "x-amz-date", "x-amz-security-token", "content-length"}


def compress_time(request: RawRequest) -> RawRequest:
    """The request, changed if it is one of those. The emulator checks signatures: then it is signed again, by root."""
    if request.name == "sqs.SendMessage":
        asked = json.loads(request.body)
        if asked.get("DelaySeconds", 0) > LONGEST_DELAY_SECONDS:
            return _signed(request, {**asked, "DelaySeconds": LONGEST_DELAY_SECONDS}, "sqs")
        return request
    if request.name == "sqs.ChangeMessageVisibility":
        asked = json.loads(request.body)
        return _signed(request, {**asked, "VisibilityTimeout": -(-asked["VisibilityTimeout"] // PAUSES)}, "sqs")
    if request.name == "dynamodb.Query":
        asked = json.loads(request.body)
        now = asked["ExpressionAttributeValues"][":now"]
        now["N"] = str(float(now["N"]) + DAY_SECONDS)
        return _signed(request, asked, "dynamodb")
    return request


def _signed(request: RawRequest, asked: dict[str, Any], service: str) -> RawRequest:
    body = json.dumps(asked).encode()
    first, *lines = request.head.decode().rstrip("\r\n").split("\r\n")
    kept = {name: value for name, value in (line.split(": ", 1) for line in lines) if name.lower() not in SIGNED_AGAIN}
    signed = httpx.Request("POST", f"http://{request.header('host')}/", content=body, headers=kept)
    SigV4(service).sign(signed)
    head = "\r\n".join([first, *(f"{name}: {value}" for name, value in signed.headers.items()), "", ""])
    return RawRequest(head.encode(), body)
