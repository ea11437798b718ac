"""One test for each exit code, with the sentence that comes with it; and the command line's own mistakes."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from close_provisioner.errors import CommandError
from close_provisioner.exit_codes import ExitCode, code_of
from tests.unit.cli.answers import FAILED, NOTHING_TO_DO, plan_text, problem, settled, state
from tests.unit.cli.terminal import FakeStack

PLAN = "POST /v1/plans"
SUBMIT = "POST /v1/provisioning-requests"
READ = f"GET /v1/provisioning-requests/{state()['id']}"
APPLY = "apply -t acme -b account --request-id signup-1 --yes"
DENIED = {
    "Message": "User: arn:aws:iam::111122223333:user/anna is not authorized to perform: execute-api:Invoke on "
    "resource: arn:aws:execute-api:eu-central-1:********3333:a1/live/POST/v1/plans"
}


def interrupted(_request: httpx.Request) -> httpx.Response:
    raise KeyboardInterrupt


CASES: dict[ExitCode, tuple[str, dict[str, Any], str]] = {
    ExitCode.DONE: ("plan -b account", {PLAN: NOTHING_TO_DO}, ""),
    ExitCode.UNEXPECTED: ("plan -b account", {PLAN: (500, {"message": "boom"})}, "POST /v1/plans returned 500: boom"),
    ExitCode.USAGE: ("plan", {}, "Give one of --file and --blueprint."),
    ExitCode.NOT_FOUND: (
        "plan -t nope -b account",
        {PLAN: (404, problem("tenant-not-found", 404, "Tenant nope has no credential."))},
        "Tenant nope has no credential.",
    ),
    ExitCode.NOT_ALLOWED: (
        "plan -b account",
        {PLAN: (403, DENIED)},
        "arn:aws:iam::111122223333:user/anna may not execute-api:Invoke on "
        "arn:aws:execute-api:eu-central-1:********3333:a1/live/POST/v1/plans. An administrator of the AWS account",
    ),
    ExitCode.BAD: (APPLY, {PLAN: plan_text(), SUBMIT: (202, state()), READ: settled(**FAILED)}, ""),
    ExitCode.WAITING: (
        f"{APPLY} --timeout 1",
        {PLAN: plan_text(), SUBMIT: (202, state()), READ: state()},
        "still waits",
    ),
    ExitCode.DIFFERS: ("plan -b account", {PLAN: plan_text()}, ""),
    ExitCode.PART_WAY: (
        "apply -t acme -t globex -b account --yes",
        {PLAN: plan_text(), SUBMIT: (202, settled(**FAILED))},
        "acme failed. Not touched: globex.",
    ),
    ExitCode.INTERRUPTED: ("plan -b account", {PLAN: interrupted}, "Interrupted."),
}


@pytest.mark.parametrize("code", ExitCode)
def test_each_exit_code_has_its_case(stack: FakeStack, code: ExitCode) -> None:
    line, answers, sentence = CASES[code]
    stack.answers = answers
    ran = stack.run(line)
    assert ran.code == code, ran.err
    assert sentence in ran.err
    assert code.meaning


def test_an_error_of_no_kind_is_unexpected() -> None:
    assert code_of(CommandError("?")) is ExitCode.UNEXPECTED


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("plna", "No such command 'plna'. Did you mean 'plan'?"),
        ("plan --tennant acme", "No such option: --tennant (Possible options: --tenant)"),
        ("plan --tenant", "Option '--tenant' requires an argument"),
        ("apply --timeout soon", "Invalid value for '--timeout': Input should be a valid number"),
        ("blueprints show", "Missing argument 'NAME'"),
        ("blueprints show a b", "Got unexpected extra argument(s) (b)"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_sentence(stack: FakeStack, line: str, sentence: str) -> None:
    ran = stack.run(line)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(sentence)
    assert len(ran.err.splitlines()) == 1
    assert ran.err.rstrip().endswith("--help")


@pytest.mark.parametrize("line", ["", "blueprints"])
def test_without_a_command_the_help_is_shown(stack: FakeStack, line: str) -> None:
    ran = stack.run(line)
    assert ran.code == 2
    assert ran.out.startswith("Usage: close-provisioner")


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        ((403, {"message": "Missing Authentication Token"}), 3, "This stack has no route GET /v1/blueprints. Deploy"),
        ((404, problem("not-found", 404, "Unknown route.")), 3, "This stack has no route GET /v1/blueprints."),
        ((404, {"message": "Not Found"}), 3, "This stack has no route GET /v1/blueprints."),
        (
            (403, {"message": "The security token included in the request is expired"}),
            4,
            "The AWS credentials have exp",
        ),
        ((403, {"message": "Forbidden"}), 4, "The API refused GET /v1/blueprints: Forbidden. It takes execute-api:In"),
        ((429, {"message": "Too Many Requests"}), 1, "The API is busy (429). Try again in a minute."),
        ({"data": [{"description": "x"}]}, 1, "The stack's answer is not as this version expects (name: Field"),
        (httpx.Response(200, text="<html>"), 1, "The stack's answer is not as this version expects"),
        (httpx.Response(502, text="<html>"), 1, "GET /v1/blueprints returned 502: <html>"),
        (httpx.Response(200, headers={"content-type": "application/json"}, text="{"), 1, "The stack's answer is not"),
    ],
)
def test_an_answer_that_is_none_is_explained(stack: FakeStack, answer: Any, code: int, sentence: str) -> None:
    stack.answers = {"GET /v1/blueprints": answer}
    ran = stack.run("blueprints list")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith(sentence), ran.err


def raising(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def respond(_request: httpx.Request) -> httpx.Response:
        raise error

    return respond


def test_a_stack_that_does_not_respond_is_named(stack: FakeStack) -> None:
    stack.answers = {"GET /v1/blueprints": raising(httpx.ConnectError("refused"))}
    ran = stack.run("blueprints list")
    assert ran.code == 1
    assert ran.err.startswith("No response from http://127.0.0.1:4566/live (ConnectError: refused). Check the network")


def test_a_closed_pipe_ends_the_output_quietly(stack: FakeStack) -> None:
    stack.answers = {"GET /v1/blueprints": raising(BrokenPipeError())}
    assert stack.run("blueprints list").code == 0
