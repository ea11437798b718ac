"""``python record_calls.py <folder> <module> <function> <file>``: record the calls of one warm request, as JSON.

A list of ``["aws", service, operation, parameters]`` and ``["close", method, url, headers, content]``, in their order.
"""

import json
import sys
from pathlib import Path
from typing import Any

folder, module, function, file = sys.argv[1:]
sys.path.insert(0, folder)

import events  # type: ignore[import-not-found]  # noqa: E402
import httpx  # noqa: E402
import stubbed_world  # type: ignore[import-not-found]  # noqa: E402
from botocore.client import BaseClient  # noqa: E402

stubbed_world.stub_aws()
stubbed_world.stub_close()
calls: list[Any] = []
make_api_call = BaseClient._make_api_call
handle_request = httpx.HTTPTransport.handle_request


def recorded_api_call(client: Any, operation: str, parameters: Any) -> Any:
    calls.append(["aws", client.meta.service_model.service_name, operation, parameters])
    return make_api_call(client, operation, parameters)


def recorded_request(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
    headers = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
    calls.append(["close", request.method, str(request.url), headers, request.read().decode()])
    return handle_request(transport, request)


BaseClient._make_api_call = recorded_api_call
httpx.HTTPTransport.handle_request = recorded_request  # type: ignore[assignment,method-assign]

handler = __import__(module, fromlist=["lambda_handler"])
handler.lambda_handler(events.event(function, "cold"), events.Context)
calls.clear()
handler.lambda_handler(events.event(function, "warm"), events.Context)
Path(file).write_text(json.dumps(calls), encoding="utf-8")
