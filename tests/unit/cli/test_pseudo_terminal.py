"""Prompts, Ctrl-C, progress and width on a real pseudo-terminal."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.answers import DIGEST, STEPS, settled, state
from tests.unit.cli.pseudo_terminal import Answers, serving, start
from tests.unit.cli.world import READY, REQUESTS, answers, summary

KEY = "api_3fQ2.secretSECRETsecret"
PLAN = {"POST /v1/plans": f"{STEPS}\n3 steps, 0 blocked; digest {DIGEST}\n"}
APPLY = ("apply", "--tenant", "acme", "--blueprint", "account", "--request-id", "signup-1")
READ = f"GET /v1/provisioning-requests/{state()['id']}"
SUBMIT = "POST /v1/provisioning-requests"


def test_apply_asks_shows_the_wait_and_ends_with_the_outcome(tmp_path: Path) -> None:
    waits = [state(pending_reason="Close's rate limit is exhausted")] * 3
    given = Answers({**PLAN, SUBMIT: (202, state()), READ: [*waits, settled()]})
    with serving(given, tmp_path) as environment:
        terminal = start(environment, *APPLY)
        assert "~ update type Device" in terminal.until("Carry out 3 steps for acme? [y/N] ")
        assert "\x1b[33m" in terminal.shown, "a step that changes is yellow"
        terminal.press("y\n")
        terminal.until("acme/signup-1: Close's rate limit is exhausted")
        terminal.until("✔ updated  acme/signup-1")
        assert terminal.end() == 0


def test_ctrl_c_at_the_question_submits_nothing(tmp_path: Path) -> None:
    given = Answers(PLAN)
    with serving(given, tmp_path) as environment:
        terminal = start(environment, *APPLY)
        terminal.until("[y/N] ")
        terminal.press("\x03")
        terminal.until("Interrupted.")
        assert terminal.end() == 130
    assert [route for route, _ in given.asked] == ["POST /v1/plans"]


def test_ctrl_c_after_that_leaves_the_request_running_and_says_how_to_see_it(tmp_path: Path) -> None:
    given = Answers({**PLAN, SUBMIT: (202, state()), READ: state(pending_reason="Close is down")})
    with serving(given, tmp_path) as environment:
        terminal = start(environment, *APPLY, "--yes")
        terminal.until("Close is down")
        terminal.press("\x03")
        assert "the service goes on with it" in terminal.until("close-provisioner requests show acme/signup-1")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.plain


def test_a_key_is_typed_without_being_shown(tmp_path: Path) -> None:
    missing = (400, {"__type": "ResourceNotFoundException", "message": "none"})
    secrets = {"DescribeSecret": missing, "CreateSecret": {}, "DeleteSecret": {}}
    given = Answers({**secrets, **answers(), "GET /v1/provisioning-requests": {"data": [], "next": None}})
    with serving(given, tmp_path) as environment:
        given.by_route = Checks(given.by_route)
        terminal = start(environment, "tenants", "add", "newco")
        terminal.until("The Close API key of newco (not shown): ")
        terminal.press(f"{KEY}\n")
        terminal.until("✔ newco is stored.")
        assert terminal.end() == 0
        assert KEY not in terminal.shown
    created = [json.loads(body) for route, body in given.asked if route == "CreateSecret"]
    assert [json.loads(each["SecretString"])["api_key"] for each in created] == [KEY, KEY]
    assert created[-1]["Name"] == "p/tenants/newco"


def test_ctrl_d_at_the_hidden_prompt_stores_nothing(tmp_path: Path) -> None:
    given = Answers({"DescribeSecret": (400, {"__type": "ResourceNotFoundException", "message": "none"})})
    with serving(given, tmp_path) as environment:
        terminal = start(environment, "tenants", "add", "newco")
        terminal.until("(not shown): ")
        terminal.press("\x04")
        terminal.until("Nothing was done.")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.plain
    assert {route for route, _ in given.asked} == {"DescribeSecret"}


class Checks(dict[str, object]):
    """Answers that find every tenant ready."""

    def get(self, route: str, default: object = None) -> object:
        ready = route.startswith("POST /v1/tenants/check-")
        return READY if ready else super().get(route, default)


def test_a_bulk_retry_has_a_progress_bar(tmp_path: Path) -> None:
    found = [summary(f"initech/bulk-{number}", result="failed") for number in range(12)]
    retried = (202, {"id": "n", "tenant": "initech", "request_id": "r.retry-1", "retry_of": "x"})
    routes = {f"POST /v1/provisioning-requests/{each['id']}/retries": retried for each in found}
    given = Answers({**routes, "GET /v1/provisioning-requests": {"data": found, "next": None}})
    with serving(given, tmp_path) as environment:
        terminal = start(environment, "requests", "retry", "--tenant", "initech", columns=120)
        terminal.until("Send 12 requests again? [y/N] ")
        terminal.press("y\n")
        terminal.until("Outcomes: close-provisioner requests watch")
        assert terminal.end() == 0
        assert "100%" in terminal.plain
        assert terminal.plain.count("is sent again as") == 12


@pytest.mark.parametrize(("columns", "titles"), [(80, "STATE"), (170, "BECAUSE")])
def test_a_table_is_as_wide_as_the_terminal(tmp_path: Path, columns: int, titles: str) -> None:
    given = Answers({"GET /v1/provisioning-requests": {"data": REQUESTS, "next": None}})
    with serving(given, tmp_path) as environment:
        terminal = start(environment, "requests", "list", "--since", "9d", columns=columns)
        assert terminal.end() == 0
    lines = terminal.plain.replace("\r", "").splitlines()
    assert lines[0].startswith("local stack · http://127.0.0.1:")
    assert lines[1].rstrip().endswith(titles) or titles in lines[1]
    assert max(len(line) for line in lines) <= columns
