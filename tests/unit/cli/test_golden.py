"""The output of every command, as files: on terminals of 80 and 140 columns, in a pipe, and as JSON.

``UPDATE_GOLDEN=1`` writes them again; then read the difference.
"""

import json
import os
import time
from pathlib import Path

import pytest

from close_provisioner.client.answers import Answer
from close_provisioner.client.requests import request_key
from close_provisioner.commands import status
from close_provisioner.errors import NotAllowed
from close_provisioner.main import program
from close_provisioner.registration import EXAMPLES
from tests.unit.cli.answers import plan_text, settled, state
from tests.unit.cli.terminal import FakeStack
from tests.unit.cli.world import HISTORY, answers

GOLDEN = Path(__file__).parent / "golden"
LINES = {
    "apply": "apply --tenant acme --blueprint account --request-id signup-1 --yes",
    "audit": "audit",
    "blueprints-list": "blueprints list",
    "blueprints-show": "blueprints show account",
    "dead-letters-drop": "dead-letters drop 9ab3 --reason gone --yes",
    "dead-letters-list": "dead-letters list",
    "dead-letters-redrive": "dead-letters redrive --all --yes",
    "dead-letters-show": "dead-letters show 4f1c",
    "plan": "plan --tenant acme --blueprint account",
    "requests-list": "requests list",
    "requests-resolve": "requests resolve globex/unres-1 --not-there --reason seen --yes",
    "requests-retry": "requests retry globex/lost-1 --yes",
    "requests-show": "requests show globex/lost-1",
    "requests-show-failed": "requests show hooli/onb-1",
    "requests-show-waiting": "requests show org_2ZQx7v5Ue0fT3rWnK1mB9cHd/msg_6e1ceb638a2f4b0c9d11",
    "sources-check": "sources check stripe",
    "sources-list": "sources list",
    "status": "status",
    "tenants-check": "tenants check umbrella acme",
    "tenants-forget": "tenants forget initech --reason gone --yes",
    "tenants-list": "tenants list",
    "tenants-show": "tenants show acme",
    "tenants-types": "tenants types acme",
}
WRITTEN_BY_THE_SERVICE = {"apply", "plan"}
"""Plans keep their lines, whose indentation has a meaning: the terminal wraps them."""

ELSEWHERE = {"console", "doctor", "send", "requests watch", "sources add", "sources rotate", "tenants add"} | {
    "tenants rotate",
    "tenants remove",
}
"""Commands whose output is tested where AWS or a second process takes part."""


@pytest.fixture
def world(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    def denied(_stack: object) -> list[Answer]:
        raise NotAllowed("anna may not cloudwatch:DescribeAlarms.")

    monkeypatch.setattr(status, "alarms_that_are_on", denied)
    moved = {"done": ["4f1c2a90-1"], "kept": [{"id": "9ab3ffff-2", "cause": "not-a-request", "reason": "Not JSON."}]}
    resolved = {
        "id": "x",
        "tenant": "globex",
        "request_id": "unres-1",
        "there": False,
        "types": [{"name": "Parcel", "id": None}],
    }
    retried = {"id": "y", "tenant": "globex", "request_id": "lost-1.retry-1", "retry_of": HISTORY["id"]}
    stack.answers = answers() | {
        "POST /v1/plans": plan_text(),
        "POST /v1/provisioning-requests": (202, state()),
        f"GET /v1/provisioning-requests/{state()['id']}": settled(),
        "POST /v1/dead-letters/redrives": moved,
        "POST /v1/dead-letters/drops": {"done": ["9ab3ffff-2"], "kept": [], "missing": ["zz"]},
        f"POST /v1/provisioning-requests/{HISTORY['id']}/retries": (202, retried),
        f"POST /v1/provisioning-requests/{request_key('globex', 'unres-1')}/resolutions": resolved,
        "DELETE /v1/tenants/initech/memory": {
            "tenant": "initech",
            "done": True,
            "requests": 41,
            "stays": ["its types"],
        },
    }
    return stack


def compare(name: str, found: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), f"{name} differs: look, then UPDATE_GOLDEN=1"


@pytest.mark.parametrize("width", [80, 140, None], ids=["80", "140", "pipe"])
@pytest.mark.parametrize("name", LINES)
def test_the_output_of_each_command_is_as_its_file_shows(world: FakeStack, name: str, width: int | None) -> None:
    ran = world.run(LINES[name], width=width)
    compare(f"{name}.{width or 'pipe'}.txt", f"{ran.out}--- notes\n{ran.err}--- exit code {int(ran.code)}\n")
    if width and name not in WRITTEN_BY_THE_SERVICE:
        assert max(len(line) for line in ran.out.splitlines()) <= width


@pytest.mark.parametrize("name", [name for name in LINES if name != "plan"])
def test_the_json_of_each_command_is_as_its_file_shows(world: FakeStack, name: str) -> None:
    ran = world.run(f"{LINES[name]} --json", width=80)
    compare(f"{name}.json.txt", ran.out)
    lines = ran.out.splitlines()
    if lines[0] == "{":
        decoder, rest = json.JSONDecoder(), ran.out
        while rest.strip():
            _, end = decoder.raw_decode(rest)
            rest = rest[end:].lstrip()
    else:
        assert all(isinstance(json.loads(line), dict) for line in lines)


def test_every_command_has_its_golden_files() -> None:
    program()
    covered = {name for name in EXAMPLES if any(line.startswith(f"{name} ") or line == name for line in LINES.values())}
    assert set(EXAMPLES) - covered == ELSEWHERE
    assert {path.name.partition(".")[0] for path in GOLDEN.glob("*.txt")} == set(LINES)


def test_a_time_is_local_or_utc(world: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    assert "06:58:40" in world.run("requests list", width=140).out
    assert "11:58:40" in world.run("requests list --utc", width=140).out
    assert "2026-11-27T11:58:40.690Z" in world.run("requests list").out


def test_color_follows_the_terminal_and_no_color(world: FakeStack) -> None:
    line = "requests list"
    colored = {"TERM": "xterm-256color"}
    assert "\x1b[1;31mfailed" in world.run(line, width=140, environment=colored).out
    plain = world.run(line, width=140, environment={**colored, "NO_COLOR": "1"}).out
    assert "failed" in plain
    assert "31m" not in plain
    assert "\x1b" not in world.run(line, environment={**colored, "FORCE_COLOR": "1"}).out
