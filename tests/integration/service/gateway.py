"""The HTTP API of a stack in this process, as the command line reaches it: each call becomes a proxy event."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from provisioner.handlers import api, operator
from provisioner.handlers.api import OF_TENANT, Api
from provisioner.handlers.operator import Operator
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import Stack
from tests.piped_command import CommandDone, run_in_pipe

PRINCIPAL = "arn:aws:sts::123456789012:assumed-role/oncall/anna"
API_URL = "http://127.0.0.1:4566/live"


class CommandLine:
    """The command line, on a stack in this process. ``work``: lets the worker run in each pause, as the queue does."""

    def __init__(self, stack: Stack, folder: Path, work: Callable[[], object] = lambda: None) -> None:
        self.stack, self.folder, self.work = stack, folder, work
        self._operator = Operator.of(stack.service, client)
        described = {
            "api_url": API_URL,
            "aws_endpoint_url": "http://127.0.0.1:4566",
            "region": "eu-central-1",
            "tenant_secret_prefix": stack.settings.tenant_secret_prefix,
            "source_secret_prefix": stack.settings.source_secret_prefix,
        }
        (folder / "stack.json").write_text(json.dumps(described))
        (folder / "run.lock").write_text(str(os.getpid()))

    def __call__(self, line: str, stdin: str = "", **environment: str) -> CommandDone:
        return run_in_pipe(
            line,
            stdin,
            environment={"CLOSE_PROVISIONER_LOCAL": str(self.folder), **environment},
            folder=self.folder,
            now=self.stack.clock,
            sleep=self._sleep,
            transport=httpx.MockTransport(self._respond),
        )

    def _sleep(self, seconds: float) -> None:
        self.stack.clock.advance(seconds)
        self.work()

    def _respond(self, request: httpx.Request) -> httpx.Response:
        event = proxy_event(request)
        is_operators = (request.method, event["resource"]) in operator.ROUTES
        handler: Any = self._operator if is_operators else Api(self.stack.service)
        answer = handler.answer(event, lambda: 28.0)
        return httpx.Response(answer["statusCode"], headers=answer["headers"], text=answer["body"])


def proxy_event(request: httpx.Request) -> dict[str, Any]:
    """Return the event that API Gateway makes of a request to a stack."""
    path = request.url.path.removeprefix("/live")
    resource, parameters = _resource(request.method, path)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": None,
        "multiValueHeaders": {name: [value] for name, value in request.headers.items()},
        "multiValueQueryStringParameters": {name: request.url.params.get_list(name) for name in request.url.params}
        or None,
        "pathParameters": parameters or None,
        "requestContext": {"identity": {"userArn": PRINCIPAL, "sourceIp": "192.0.2.1"}, "requestId": "r"},
        "body": request.content.decode() or None,
        "isBase64Encoded": False,
    }


def _resource(method: str, path: str) -> tuple[str, Mapping[str, str]]:
    """Return the route that matches a path, and its parameters."""
    of_api = [(verb, route) for route, verb in api.ROUTES.items()]
    below = [(verb, f"{OF_TENANT}{route.removeprefix('/v1/')}") for verb, route in of_api]
    for verb, route in [*of_api, *below, *operator.ROUTES]:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route))
        found = re.fullmatch(pattern, path)
        if found and verb == method:
            return route, found.groupdict()
    return path, {}
