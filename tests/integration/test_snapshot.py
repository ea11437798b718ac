"""SnapStart: a function that is restored from a snapshot uses nothing that may be old, or known to another copy."""

import datetime as dt
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, NamedTuple

import pytest

from tests.architecture.conftest import PROJECT
from tests.bench.processes import stubbed_world
from tests.bench.programs import ENVIRONMENT

UNTIL_OLD = dt.timedelta(minutes=15, seconds=8)
"""botocore replaces credentials that expire within 15 minutes."""
ACCESS_KEY = re.compile(r"Credential=(\w+)/")


class HeardRequest(NamedTuple):
    """A request of the function: which copy sent it, over which connection, with which credential."""

    copy: str
    service: str
    port: int
    credential: str
    body: bytes


class SnapshotNeighbors(ThreadingHTTPServer):
    """AWS, Close and Lambda's credentials in one server. Every credential and secret that it hands out is another."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SnapshotNeighbor)
        self.heard: list[HeardRequest] = []
        self.numbers = count(1)
        self.copy = ""


class _SnapshotNeighbor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SnapshotNeighbors

    def do_GET(self) -> None:
        if self.path == "/credentials":
            expires = dt.datetime.now(dt.UTC) + UNTIL_OLD
            self._answer(
                {
                    "AccessKeyId": f"AKID{next(self.server.numbers)}",
                    "SecretAccessKey": "secret",
                    "Token": "token",
                    "Expiration": expires.isoformat(),
                }
            )
        else:
            self._hear("Close", self.headers["Authorization"], b"")
            self._answer(stubbed_world._TYPES)

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/api/v1/"):
            self._hear("Close", self.headers["Authorization"], self.body)
            self._answer(stubbed_world._created(self.body))
            return
        key = ACCESS_KEY.search(self.headers["Authorization"])
        service = self.headers.get("X-Amz-Target", "sns").split("_")[0].split(".")[0]
        self._hear(service, key[1] if key else "", self.body)
        if service == "secretsmanager":
            self._answer({"Name": "acme", "SecretString": f"api_key{next(self.server.numbers)}"})
        else:
            self._answer(stubbed_world._aws_answer(self))

    def _hear(self, service: str, credential: str, body: bytes) -> None:
        if match := re.search(rb"(copy-\d|before)", body):
            self.server.copy = match[1].decode()
        self.server.heard.append(HeardRequest(self.server.copy, service, self.client_address[1], credential, body))

    def _answer(self, content: Any) -> None:
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(201 if self.path.startswith("/api/v1/") and self.command == "POST" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class Restored(NamedTuple):
    """The requests of all copies, and the states of their random numbers."""

    heard: list[HeardRequest]
    random: list[float]

    def of(self, copy: str, attribute: str, service: str = "") -> set[Any]:
        return {getattr(each, attribute) for each in self.heard if each.copy == copy and service in each.service}


@pytest.fixture(scope="module")
def restored() -> Restored:
    neighbors = SnapshotNeighbors()
    thread = threading.Thread(target=neighbors.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{neighbors.server_port}"
    environment = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("AWS_")} | {
        "PYTHONPATH": f"{PROJECT / 'functions'}:{PROJECT}",
        "PATH": os.environ["PATH"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "api",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/credentials",
        "AWS_ENDPOINT_URL": url,
        "CLOSE_API_URL": f"{url}/api/v1/",
        "EVENTS_DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/111122223333/events-dead-letters",
        "HOURS_LATER": "9",
    }
    command = [sys.executable, "-m", "tests.integration.snapshot_process"]
    try:
        done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603
    finally:
        neighbors.shutdown()
        thread.join()
        neighbors.server_close()
    assert done.returncode == 0, done.stdout + done.stderr
    written = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"copy"')]
    assert len(written) == 3, done.stdout + done.stderr
    return Restored(neighbors.heard, [each["random"] for each in written])


COPIES = ("copy-1", "copy-2")


def test_no_connection_survives(restored: Restored) -> None:
    before, *after = (restored.of(copy, "port") for copy in ("before", *COPIES))
    assert before
    for ports in after:
        assert ports
        assert not ports & before


def test_the_secret_of_a_tenant_is_read_again(restored: Restored) -> None:
    before, *after = (restored.of(copy, "credential", "Close") for copy in ("before", *COPIES))
    assert [len(each) for each in (before, *after)] == [1, 1, 1]
    assert len(set.union(before, *after)) == 3


def test_old_credentials_of_aws_are_replaced(restored: Restored) -> None:
    before, *after = (restored.of(copy, "credential", "DynamoDB") for copy in ("before", *COPIES))
    for keys in after:
        assert keys
        assert not keys & before


def test_copies_have_random_states_of_their_own(restored: Restored) -> None:
    assert len(set(restored.random)) == 3


def test_copies_take_leases_under_tokens_of_their_own(restored: Restored) -> None:
    tokens = [set(re.findall(rb"[0-9a-f]{32}", b"".join(restored.of(copy, "body", "DynamoDB")))) for copy in COPIES]
    assert all(tokens)
    assert not tokens[0] & tokens[1]
