"""The simulated Close as a Lambda function with a URL: ``infra/simulator/template.yaml`` deploys it.

One execution environment serves everything (a reserved concurrency of 1): the state in memory is the only one. It is
lost when Lambda replaces the environment, after minutes without a request. A function cannot close a connection: an
exception makes its URL answer 502, which says as little about the write as a lost connection does.
"""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from infra.simulator.api.requests import Request
from infra.simulator.api.responses import Response
from infra.simulator.control.api import PREFIX, Control
from infra.simulator.faults.effects import Effect

LONGEST_HOLD_SECONDS = 25.0
"""Longer than the service waits for one call."""

control = Control()


class ConnectionLost(Exception):
    """The answer that a client would have lost."""


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer a request to the function's URL, or a control call by invocation."""
    if "control" in event:
        response = control.handle(_control_request(event["control"]))
        return {"statusCode": response.status, "body": response.body.decode()}
    request = _request(event)
    if request.path.startswith(PREFIX):
        return {"statusCode": 403, "body": json.dumps({"error": "Control calls are made by invoking the function."})}
    return _follow(control.service.receive(request))


def _follow(effect: Effect) -> dict[str, Any]:
    time.sleep(min(effect.wait, LONGEST_HOLD_SECONDS))
    response = effect.work() if effect.work else effect.response
    if response is None or effect.ending not in {"respond", "cut"}:
        raise ConnectionLost(effect.ending)
    return _answer(response, cut=effect.ending == "cut")


def _answer(response: Response, *, cut: bool = False) -> dict[str, Any]:
    body = response.body[: len(response.body) // 2] if cut else response.body
    return {
        "statusCode": response.status,
        "headers": {name: value for name, value in response.headers.items() if name.lower() != "date"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def _control_request(asked: Mapping[str, Any]) -> Request:
    path, _, query = str(asked["path"]).partition("?")
    body = json.dumps(asked["body"]).encode() if asked.get("body") is not None else b""
    return Request(asked["method"], f"{PREFIX}{path}", dict(parse_qsl(query)), {}, body, "")


def _request(event: Mapping[str, Any]) -> Request:
    """Return the request of a function URL's event (payload format 2.0)."""
    http, body = event["requestContext"]["http"], event.get("body") or ""
    return Request(
        http["method"],
        event["rawPath"],
        dict(parse_qsl(event.get("rawQueryString", ""))),
        {name.lower(): value for name, value in event["headers"].items()},
        base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(),
        f"https://{event['requestContext']['domainName']}",
    )
