"""``requests retry``, ``resolve``, ``watch`` and the choice of requests by time and name."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from close_provisioner.client.requests import request_key
from tests.unit.cli.answers import problem
from tests.unit.cli.terminal import FakeStack
from tests.unit.cli.world import FAILED_HISTORY, HISTORY, answers, summary

FAILED = [
    summary(f"initech/bulk-{number}", result="failed", problem="credential-rejected", retried_as=retried)
    for number, retried in ((3, None), (2, "x"), (1, None))
]
LIST = "GET /v1/provisioning-requests"


def retries(name: str) -> str:
    return f"POST /v1/provisioning-requests/{request_key(*name.split('/'))}/retries"


def accepted(name: str) -> tuple[int, dict[str, Any]]:
    tenant, request_id = name.split("/")
    key = request_key(tenant, request_id)
    return 202, {"id": "n", "tenant": tenant, "request_id": f"{request_id}.retry-1", "retry_of": key}


@pytest.fixture
def world(stack: FakeStack) -> FakeStack:
    names = ("initech/bulk-1", "initech/bulk-3", "hooli/onb-1", "globex/lost-1")
    stack.answers = answers() | {LIST: {"data": FAILED, "next": None}}
    stack.answers |= {retries(name): accepted(name) for name in names}
    return stack


def test_chosen_requests_are_shown_and_sent_again_the_oldest_first(world: FakeStack) -> None:
    ran = world.run("requests retry -t initech --result failed --since 2d --reason OPS-812 --yes")
    assert (ran.code, ran.err) == (0, "Outcomes: close-provisioner requests watch\n")
    assert ran.out.splitlines()[-2:] == [
        "✔ initech/bulk-1 is sent again as initech/bulk-1.retry-1",
        "✔ initech/bulk-3 is sent again as initech/bulk-3.retry-1",
    ]
    assert dict(ran.asked[0].url.params) == {
        "tenant": "initech",
        "result": "failed",
        "since": "2026-11-25T12:00:00.000Z",
        "limit": "200",
    }
    assert ran.bodies(retries("initech/bulk-1")) == [{"reason": "OPS-812"}]


def test_without_a_result_failed_and_unresolved_ones_are_chosen(world: FakeStack) -> None:
    ran = world.run("requests retry -t initech --yes")
    assert ran.asked[0].url.params.get_list("result") == ["failed", "unresolved"]


def test_too_many_errors_stop_the_rest(world: FakeStack) -> None:
    refused = (409, problem("wrong-state", 409, "Request 'bulk-1' is not settled yet."))
    world.answers |= {retries("initech/bulk-1"): refused, LIST: {"data": FAILED[::-1], "next": None}}
    ran = world.run("requests retry -t initech --stop-after 1 --yes")
    assert ran.code == 8
    assert "initech/bulk-1: Request 'bulk-1' is not settled yet.\n" in ran.err
    assert ran.err.endswith("1 of 2 were sent again, 1 could not be. Repeat the command for the rest.\n")


def test_ctrl_c_says_how_many_were_sent(world: FakeStack) -> None:
    def pressed(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    world.answers |= {retries("initech/bulk-3"): pressed}
    ran = world.run("requests retry -t initech --yes")
    assert (ran.code, ran.err) == (130, "1 of 2 were sent again. Repeat the command for the rest.\n")


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("requests retry", 2, "Name requests, or choose them by --tenant, --result, --problem or --since."),
        ("requests retry a/b -t a", 2, "Name requests, or choose them by --tenant, --result, --problem or --since."),
        ("requests retry -t a --edit", 2, "--edit is for one request that is named."),
        ("requests retry nonsense", 2, "'nonsense' is not a request: write TENANT/REQUEST-ID, or its id of 32 hex di"),
        ("requests resolve a/b --reason x", 2, "Give --there or --not-there, as Close shows it."),
        ("requests resolve a/b --there", 2, "--reason is missing: say who looked, and where."),
        ("requests list --since yesterday", 2, "--since is 'yesterday': it must be a duration (90s, 15m, 24h, 7d) or"),
        ("requests list --since 999999w", 2, "--since is '999999w': it must be a duration (90s, 15m, 24h, 7d) or"),
        ("dead-letters drop '' --reason x --yes", 2, "The id of a dead-letter message is empty."),
        ("requests list --until x", 2, "--until is 'x': it must be"),
        ("requests retry globex/lost-1", 2, "No terminal to ask on was found: give --yes to go on without a question"),
    ],
)
def test_a_misuse_is_one_sentence(world: FakeStack, line: str, code: int, sentence: str) -> None:
    ran = world.run(line)
    assert ran.code == code
    assert sentence in ran.err


def test_nothing_to_retry_is_not_found(world: FakeStack) -> None:
    world.answers |= {LIST: {"data": [], "next": None}}
    assert world.run("requests retry -t acme --yes").code == 3


def editor(tmp_path: Path, script: str) -> dict[str, str]:
    path = tmp_path / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"EDITOR": str(path), "VISUAL": ""}


def test_an_edited_body_is_sent(world: FakeStack, tmp_path: Path) -> None:
    environment = editor(tmp_path, "sed -i s/account/saas-subscriptions/ $1")
    ran = world.run("requests retry hooli/onb-1 --edit --yes", environment=environment)
    assert ran.code == 0
    assert ran.bodies(retries("hooli/onb-1")) == [
        {"body": {**FAILED_HISTORY["body"], "blueprint": "saas-subscriptions"}}
    ]


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("true", "The body was not changed. Nothing was sent."),
        ("echo x > $1", "The edited body is not JSON"),
        ("exit 3", "ended with 3. Nothing was sent."),
    ],
)
def test_an_edit_without_a_result_sends_nothing(world: FakeStack, tmp_path: Path, script: str, sentence: str) -> None:
    ran = world.run("requests retry hooli/onb-1 --edit --yes", environment=editor(tmp_path, script))
    assert ran.code == 2
    assert sentence in ran.err
    assert ran.bodies(retries("hooli/onb-1")) == []


def test_a_resolution_is_taken(world: FakeStack) -> None:
    route = f"POST /v1/provisioning-requests/{HISTORY['id']}/resolutions"
    answer = {"id": HISTORY["id"], "tenant": "globex", "request_id": "lost-1", "there": True}
    world.answers[route] = {**answer, "types": [{"name": "Milestone", "id": "cotype_1"}]}
    ran = world.run('requests resolve globex/lost-1 --there --reason "seen by Anna"', width=80, stdin="y\n")
    assert ran.bodies(route) == [{"there": True, "reason": "seen by Anna"}]
    assert ran.out.splitlines() == [
        "✔ Milestone is there  cotype_1",
        "Recorded. Go on with: close-provisioner requests retry globex/lost-1",
    ]
    assert "Record that the type of globex/lost-1 is there? [y/N]" in ran.err


class Presses:
    """Lets some pauses pass, then presses Ctrl-C."""

    def __init__(self, pauses: int) -> None:
        self.left = pauses

    def __call__(self, _seconds: float) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def test_outcomes_are_shown_as_they_arrive(world: FakeStack) -> None:
    waiting = summary("acme/a", "waiting", None)
    done = summary("acme/a", "announced", "created")
    old = summary("acme/old", "waiting", None)
    world.answers |= {
        LIST: [{"data": page, "next": None} for page in ([waiting, old], [waiting], [waiting], [done], [done])],
        f"GET /v1/provisioning-requests/{old['id']}/history": [old, {**old, "result": "failed", "state": "settled"}],
    }
    ran = world.run("requests watch", sleep=Presses(3))
    assert (ran.code, [line.split("\t")[1:3] + line.split("\t")[5:6] for line in ran.out.splitlines()]) == (
        130,
        [["acme", "old", "failed"], ["acme", "a", "created"]],
    )
    assert ran.err == ("2 requests wait. Outcomes appear here until Ctrl-C.\nStopped watching. Requests go on.\n")


def test_a_followed_list_goes_on_with_new_requests(world: FakeStack) -> None:
    first, second = summary("acme/1"), summary("acme/2", "waiting", None)
    world.answers[LIST] = [{"data": page, "next": None} for page in ([first], [second, first])]
    ran = world.run("requests list --follow --json", sleep=Presses(2))
    assert [json.loads(line)["request_id"] for line in ran.out.splitlines()] == ["1", "2"]
    assert ran.code == 130


def test_a_list_is_read_page_by_page_up_to_its_limit(world: FakeStack) -> None:
    pages = [[summary(f"acme/{10 * page + number}") for number in range(2)] for page in range(3)]
    world.answers[LIST] = [
        {"data": pages[0], "next": "c1"},
        {"data": [], "next": "c2"},
        {"data": pages[1], "next": None},
    ]
    ran = world.run("requests list --limit 3")
    assert [line.split("\t")[2] for line in ran.out.splitlines()] == ["0", "1", "10"]
    assert [each.url.params.get("cursor") for each in ran.asked] == [None, "c1", "c2"]
    assert ran.err == "The newest 3 are shown. --limit shows more.\n"
