"""The simulator as a program, its control API, and its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.simulator import CloseSimulator, ControlClient, ControlError

ROOT = Path(__file__).parents[3]
MODULE = "infra.simulator"
README = ROOT / "infra" / "simulator" / "README.md"


def port_of(close: ControlClient) -> int:
    return int(close.url.rpartition(":")[2])


def run(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", MODULE, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603


def test_the_program_starts_from_a_setup_and_ends_on_a_signal(tmp_path: Path) -> None:
    setup = tmp_path / "setup.json"
    organization = {"id": "orga_acme", "keys": ["api_acme.123"], "types": [{"name": "Invoice"}]}
    setup.write_text(json.dumps({"options": {"create_status": 200}, "organizations": [organization]}))
    with run("--port", "0", "--setup", str(setup)) as process:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())
        remote = ControlClient(urls["url"])
        assert urls == {"url": remote.url, "api_url": remote.api_url, "control_url": f"{remote.url}/_control/"}
        assert [entry["name"] for entry in remote.types("orga_acme")] == ["Invoice"]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_busy_port_and_an_invalid_setup_are_reported(close: ControlClient, tmp_path: Path) -> None:
    setup = tmp_path / "setup.json"
    setup.write_text('{"options": {"color": "red"}}')
    for arguments, complaint in (
        (("--port", close.url.rpartition(":")[2]), "cannot listen on 127.0.0.1"),
        (("--setup", str(setup)), "unknown option 'color'"),
    ):
        with run(*arguments) as process:
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert complaint in errors
        assert "Traceback" not in errors


def test_a_reset_restores_the_setup(client: httpx.Client) -> None:
    setup = {"options": {"create_status": 200}, "organizations": [{"id": "orga_a", "types": [{"name": "Invoice"}]}]}
    with CloseSimulator(setup=setup) as close:
        close.set_options(create_status=201, latency_seconds=0.01)
        close.add_organization(id="orga_b")
        close.add_type("orga_a", "Other")
        close.arm("late_create", times=None)
        close.reset()
        assert close.faults() == {"fired": {}, "pending": 0, "orders": [], "chaos": None}
        assert close.call("GET", "options/")["create_status"] == 200
        assert close.call("GET", "state/")["organizations"].keys() == {"orga_a"}
        assert [entry["name"] for entry in close.types("orga_a")] == ["Invoice"]
        assert close.requests() == []


def test_a_reset_of_parts_keeps_the_rest(close: ControlClient, client: httpx.Client) -> None:
    close.add_type("orga_acme", "Invoice")
    close.arm("500_before")
    client.get("me/")
    close.reset("faults", "requests")
    assert (close.faults()["orders"], close.requests()) == ([], [])
    assert [entry["name"] for entry in close.types("orga_acme")] == ["Invoice"]
    assert client.get("me/").status_code == 200
    close.reset("types", "options")
    assert close.types("orga_acme") == []
    with pytest.raises(ControlError, match="unknown: everything"):
        close.reset("everything")


def test_a_reset_cancels_late_creates(close: ControlClient, client: httpx.Client) -> None:
    close.arm("late_create", seconds=0.2)
    client.post("custom_object_type/", json={"name": "Invoice", "name_plural": "Invoices"})
    close.reset("faults")
    time.sleep(0.3)
    assert close.types("orga_acme") == []


def test_one_organization_is_cleared(close: ControlClient) -> None:
    close.add_organization(id="orga_other")
    for organization in ("orga_acme", "orga_other"):
        close.add_type(organization, "Invoice")
    close.clear_organization("orga_acme")
    assert (close.types("orga_acme"), len(close.types("orga_other"))) == ([], 1)


def test_a_removed_organization_leaves_no_key(close: ControlClient, client: httpx.Client) -> None:
    close.add_organization(id="orga_other", keys=["api_other.1"])
    close.remove_organization("orga_acme")
    assert [each["id"] for each in close.call("GET", "organizations/")["data"]] == ["orga_other"]
    assert client.get("me/").status_code == 401
    close.add_organization(id="orga_acme", keys=["api_acme.0123456789"])
    assert client.get("me/").status_code == 200


def test_an_unknown_control_call_gets_the_list(close: ControlClient) -> None:
    response = httpx.get(f"{close.url}/_control/colors/", trust_env=False)
    assert response.status_code == 501
    assert "GET /_control/state/" in response.json()["known"]
    assert httpx.post(f"{close.url}/_control/reset/", content=b"[]", trust_env=False).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"id": "orga_acme"},
        {"color": "red"},
        {"options": {"color": "red"}},
        {"types": [{}]},
        {"keys": "x"},
        {"keys": [1]},
        {"max_types": -1},
        {"may_customize": "no"},
        {"role_id": 7},
        {"roles": {"role_1": {"permissions": []}}},
        {"permissions_granted": "all"},
        {"member_of": {"orga_globex": None}},
        {"max_fields": -1},
        {"rate_limit": {"requests": "2"}},
        {"keys": ["api_acme.0123456789"]},
    ],
)
def test_an_invalid_organization_is_rejected_and_not_stored(close: ControlClient, body: dict[str, Any]) -> None:
    with pytest.raises(ControlError):
        close.add_organization(**body)
    assert [entry["id"] for entry in close.call("GET", "organizations/")["data"]] == ["orga_acme"]


def test_the_log_can_be_filtered(close: ControlClient, client: httpx.Client) -> None:
    client.get("me/")
    client.get("role/")
    client.post("custom_object_type/", json={})
    assert [entry["status"] for entry in close.requests(method="POST")] == [400]
    assert [entry["path"] for entry in close.requests(path="/api/v1/me/")] == ["/api/v1/me/"]
    assert (len(close.requests("orga_acme")), close.requests("orga_none")) == (3, [])


def test_connections_are_kept_alive(close: ControlClient) -> None:
    """Send rejected requests, chunked bodies and an unknown path, all on one connection."""
    with socket.create_connection(("127.0.0.1", port_of(close)), timeout=5) as connection:
        for request, status in (
            (b"GET /api/v1/me/ HTTP/1.1\r\nHost: x\r\n\r\n", b"401"),
            (b"GET /nothing/ HTTP/1.1\r\nHost: x\r\n\r\n", b"501"),
            (
                b"POST /nothing/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                b"501",
            ),
            (b"HEAD /nothing/ HTTP/1.1\r\nHost: x\r\n\r\n", b"501"),
            (b"GET /_control/options/ HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
        ):
            connection.sendall(request)
            head = connection.recv(65536)
            assert head.split(b" ", 2)[1] == status


def test_a_body_without_a_valid_length_is_rejected(close: ControlClient) -> None:
    for length in (b"many", b"-1", b"99999999999"):
        with socket.create_connection(("127.0.0.1", port_of(close)), timeout=5) as connection:
            connection.sendall(b"POST /api/v1/me/ HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_an_incomplete_request_is_not_executed(close: ControlClient) -> None:
    """Send half of a create: it creates nothing, even if the half is valid JSON."""
    head = (
        b"POST /api/v1/custom_object_type/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Basic " + b64encode(b"api_acme.0123456789:") + b"\r\nContent-Length: 99\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port_of(close)), timeout=5) as connection:
        connection.sendall(head + b'{"name": "Invoice", "name_plural": "Invoices"}')
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert (close.types("orga_acme"), close.requests()) == ([], [])


def test_stopping_ends_held_connections_and_threads() -> None:
    before = threading.active_count()
    simulator = CloseSimulator()
    with simulator as close, socket.create_connection(("127.0.0.1", port_of(close)), timeout=5) as held:
        close.arm("never_answer", aim={"method": "GET", "path": "*"}, seconds=60)
        held.sendall(b"GET /api/v1/me/ HTTP/1.1\r\nHost: x\r\n\r\n")
        while not close.fired():
            time.sleep(0.01)
        began = time.monotonic()
        simulator.stop()
        assert held.recv(1) == b"", "ended without an answer"
        assert time.monotonic() - began < 3
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_every_example_of_the_documentation_runs(close: ControlClient) -> None:
    """Run the curl lines of the README's control API against a fresh simulator."""
    lines = README.read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line.startswith(("curl $C/", 'curl "$C/'))]
    assert len(commands) > 20
    for command in commands:
        line = command.replace("$C/", f"{close.url}/_control/").replace("curl ", "curl --silent --show-error ", 1)
        done = subprocess.run(  # noqa: S602 - our own documentation
            line, shell=True, capture_output=True, text=True, check=False, env=os.environ | {"NO_PROXY": "127.0.0.1"}
        )
        assert done.returncode == 0, (command, done.stderr)
        assert "error" not in json.loads(done.stdout), (command, done.stdout)
