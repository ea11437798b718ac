"""The proxy: it passes calls on unchanged, and kills the chosen process, and no other, at the chosen moment."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.chaos.peer_process import is_running
from tests.chaos.proxy import Proxy, ProxyAction, RawRequest
from tests.chaos.time_compression import compress_time

CALL = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
for _ in range(int(sys.argv[2])):
    connection.request("POST", sys.argv[3], "body", {"X-Amz-Target": "AmazonSQS.SendMessage"})
    print(connection.getresponse().read().decode(), flush=True)
"""


class EchoServer(ThreadingHTTPServer):
    """Answers each call with its first line and its body."""

    daemon_threads = True

    def __init__(self) -> None:
        self.heard: list[str] = []
        super().__init__(("127.0.0.1", 0), _Echo)


class _Echo(BaseHTTPRequestHandler):
    server: EchoServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.heard.append(f"{self.path} {body}")
        response = f"{self.path} {body}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def echo_server() -> Iterator[EchoServer]:
    with EchoServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def proxy_to(echo_server: EchoServer, actions: list[ProxyAction], callers: int | None = None) -> Proxy:
    """A gate at which the n-th call has the n-th fate; only children of this process can be killed."""
    waiting = iter(actions)
    url = f"http://127.0.0.1:{echo_server.server_address[1]}"
    return Proxy(url, callers or os.getpid(), lambda _: next(waiting, ProxyAction.PASS))


def call(proxy: Proxy, times: int = 1, path: str = "/there") -> subprocess.CompletedProcess[str]:
    """A process that calls so many times over one connection."""
    port = proxy.url.rpartition(":")[2]
    command = [sys.executable, "-c", CALL, port, str(times), path]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


def test_calls_and_answers_pass(echo_server: EchoServer) -> None:
    with proxy_to(echo_server, []) as proxy:
        done = call(proxy, times=3)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["/there body"] * 3)
    assert echo_server.heard == ["/there body"] * 3
    assert proxy.kills == []


def test_what_is_said_to_a_proxy_is_said_to_the_server(echo_server: EchoServer) -> None:
    with proxy_to(echo_server, []) as proxy:
        assert call(proxy, path="http://127.0.0.1:4566/there").stdout == "/there body\n"


@pytest.mark.parametrize(
    ("action", "heard"), [(ProxyAction.KILL_BEFORE, 1), (ProxyAction.KILL_AFTER, 2), (ProxyAction.KILL_SOON, 2)]
)
def test_the_caller_is_killed(echo_server: EchoServer, action: ProxyAction, heard: int) -> None:
    with proxy_to(echo_server, [ProxyAction.PASS, action]) as proxy:
        done = call(proxy, times=1_000)
    assert done.returncode == -9
    assert len(echo_server.heard) == heard or action is ProxyAction.KILL_SOON
    (kill,) = proxy.kills
    assert (kill.name, kill.action) == ("sqs.SendMessage", action)
    assert not is_running(kill.pid)
    if action is not ProxyAction.KILL_SOON:
        assert done.stdout.splitlines() == ["/there body"], "the answer to the second call was not heard"


def test_no_other_process_is_killed(echo_server: EchoServer) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with proxy_to(echo_server, [ProxyAction.KILL_BEFORE, ProxyAction.KILL_AFTER], callers=stranger.pid) as proxy:
            assert call(proxy, times=2).returncode == 0
        assert proxy.kills == []
    finally:
        stranger.kill()
        stranger.communicate()


def test_a_reset_reaches_the_caller_as_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reset() -> None:
            connection, _ = server.accept()
            connection.recv(1000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()

        threading.Thread(target=reset, daemon=True).start()
        with Proxy(f"http://127.0.0.1:{server.getsockname()[1]}", os.getpid()) as proxy:
            done = call(proxy)
    assert "ConnectionResetError" in done.stderr


def message(target: str, body: dict[str, Any]) -> RawRequest:
    text = json.dumps(body).encode()
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:4566\r\nX-Amz-Target: {target}\r\nAuthorization: theirs\r\n"
    return RawRequest(f"{head}Content-Length: {len(text)}\r\n\r\n".encode(), text)


@pytest.mark.parametrize(
    ("target", "asked", "sent"),
    [
        ("AmazonSQS.ChangeMessageVisibility", {"VisibilityTimeout": 57}, {"VisibilityTimeout": 6}),
        ("AmazonSQS.SendMessage", {"DelaySeconds": 300}, {"DelaySeconds": 15}),
        ("AmazonSQS.SendMessage", {"DelaySeconds": 13}, {"DelaySeconds": 13}),
        ("DynamoDB_20120810.GetItem", {"Key": {}}, {"Key": {}}),
        (
            "DynamoDB_20120810.Query",
            {"ExpressionAttributeValues": {":now": {"N": "5.5"}}},
            {"ExpressionAttributeValues": {":now": {"N": "86405.5"}}},
        ),
    ],
)
def test_time_is_compressed(target: str, asked: dict[str, Any], sent: dict[str, Any]) -> None:
    request = message(target, asked)
    changed = compress_time(request)
    assert json.loads(changed.body) == sent
    assert changed.name == request.name
    assert changed.header("content-length") == str(len(changed.body))
    assert (changed == request) == (asked == sent), "what is not changed keeps its signature"
    assert ("Credential=test/" in changed.header("authorization")) == (asked != sent)
