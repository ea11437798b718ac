"""Text of others in a terminal: names and bodies that hold escapes do nothing, and lose nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.pseudo_terminal import Answers, serving
from tests.unit.cli.terminal import FakeStack
from tests.unit.cli.world import DEAD_LETTERS, answers, summary

HOSTILE = "a\x1b]0;owned\x07\x1b[2Jb\u202ec\x9bd\te\nf"


@pytest.fixture
def hostile(stack: FakeStack) -> FakeStack:
    message = DEAD_LETTERS["data"][0] | {"body": HOSTILE, "reason": HOSTILE}
    request = summary("acme/1", "waiting", None, what=HOSTILE, waits_because=HOSTILE, requested_by=HOSTILE)
    stack.answers = answers() | {
        "GET /v1/dead-letters": {"data": [message]},
        "GET /v1/provisioning-requests": {"data": [request], "next": None},
    }
    return stack


@pytest.mark.parametrize("line", ["dead-letters list", "dead-letters show 4f1c", "requests list"])
@pytest.mark.parametrize("width", [80, 140, None])
def test_no_escape_reaches_the_terminal(hostile: FakeStack, line: str, width: int | None) -> None:
    ran = hostile.run(line, width=width)
    shown = ran.out + ran.err
    assert not any(each in shown for each in "\x1b\x07\x9b\u202e")
    assert "⟨U+001B⟩" in "".join(shown.split()) or line == "requests list"


def test_rows_in_a_pipe_stay_rows(hostile: FakeStack) -> None:
    (row,) = hostile.run("requests list").out.splitlines()
    assert len(row.split("\t")) == 8


@pytest.mark.parametrize("line", ["dead-letters list --json", "dead-letters show 4f1c --json"])
def test_json_keeps_every_character(hostile: FakeStack, line: str) -> None:
    ran = hostile.run(line, width=80)
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert json.loads(ran.out)["body"] == HOSTILE


def test_a_reader_that_stops_ends_the_program_quietly(tmp_path: Path) -> None:
    many = [summary(f"acme/{number}") for number in range(2_000)]
    answer = {"GET /v1/provisioning-requests": {"data": many, "next": None}}
    words = [sys.executable, "-m", "close_provisioner", "requests", "list", "--limit", "2000"]
    with (
        serving(Answers(answer), tmp_path) as environment,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as program,  # noqa: S603 - our own
    ):
        assert program.stdout
        assert program.stderr
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(60) == 0
