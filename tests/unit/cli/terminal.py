"""Runs command lines without a process: against prepared answers, on a terminal of a width or in a pipe."""

import contextlib
import fnmatch
import io
import json
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from close_provisioner.host import Host
from close_provisioner.main import run

NOW = 1_795_780_800.0  # 2026-11-27 12:00:00 UTC
API_URL = "http://127.0.0.1:4566/live"

type Responder = Callable[[httpx.Request], httpx.Response]
type Answers = Mapping[str, Any]
"""By ``METHOD /path``, where ``*`` stands for anything: a JSON document, a status with one,
a list of these (one for each call), or a function."""


class Screen(io.StringIO):
    """A terminal in memory."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Ran:
    """The effects of a command. ``asked``: the requests that the stack received."""

    code: int
    out: str
    err: str
    asked: list[httpx.Request]

    def bodies(self, call: str) -> list[Any]:
        """Return the bodies of every request to a route."""
        return [
            json.loads(each.content)
            for each in self.asked
            if f"{each.method} {each.url.path.removeprefix('/live')}" == call
        ]


@dataclass
class FakeStack:
    """A local stack that is described in a folder, and answers what a test prepares."""

    state: Path
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)
    clock: float = NOW

    def __post_init__(self) -> None:
        described = {
            "api_url": API_URL,
            "aws_endpoint_url": "http://127.0.0.1:4566",
            "region": "us-east-1",
            "tenant_secret_prefix": "close-provisioner/tenants",
            "source_secret_prefix": "close-provisioner/sources",
        }
        self.state.mkdir(exist_ok=True)
        (self.state / "stack.json").write_text(json.dumps(described))
        (self.state / "run.lock").write_text(str(os.getpid()))

    def run(
        self,
        line: str,
        *,
        width: int | None = None,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> Ran:
        """Run a command line. ``width``: that of the terminal; None is a pipe."""
        stream = Screen if width else io.StringIO
        out, err, keys = stream(), stream(), stream(stdin)
        host = Host(
            environment={"CLOSE_PROVISIONER_LOCAL": str(self.state), "TERM": "dumb", **(environment or {})},
            folder=self.state,
            stdin=keys,
            stdout=out,
            stderr=err,
            width=width,
            now=lambda: self.clock,
            sleep=sleep or self._sleep,
            transport=httpx.MockTransport(self._answer),
        )
        with contextlib.redirect_stdout(out):  # the help goes there
            code = run(shlex.split(line), host)
        return Ran(code, out.getvalue(), err.getvalue(), self.asked)

    def _sleep(self, seconds: float) -> None:
        self.clock += seconds

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path.removeprefix("/live")
        route = f"{request.method} {path}"
        found = [key for key in self.answers if fnmatch.fnmatch(route, key)]
        answer = self.answers[route if route in self.answers else found[0]] if found else None
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(request)
        match answer:
            case None:
                return httpx.Response(403, json={"message": "Missing Authentication Token"})
            case httpx.Response():
                return answer
            case (int() as status, document):
                return httpx.Response(status, json=document)
        return httpx.Response(200, json=answer)
