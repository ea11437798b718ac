"""``doctor`` and ``status``: what they find in AWS, and what they say when they may not look."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from close_provisioner.client.alarms import alarms_that_are_on
from close_provisioner.stack.which import Stack
from tests.unit.cli.terminal import FakeStack
from tests.unit.cli.world import READY, REPORT, STATUS, WELL, answers

FUNCTIONS = {"functions": {name: {"name": f"fn-{name}"} for name in ("api", "events", "worker")}}
DENIED = ClientError(
    {
        "Error": {
            "Code": "AccessDeniedException",
            "Message": "User: arn:aws:iam::1:user/anna is not authorized to perform: lambda:GetAlias on resource: fn",
        }
    },
    "GetAlias",
)


class FakeAws:
    """Clients of AWS that answer from tables: by call, a document or an error."""

    def __init__(self, **calls: Any) -> None:
        self.calls = {
            "get_caller_identity": {"Arn": "arn:aws:iam::1:user/anna"},
            "get_alias": {"FunctionVersion": "7", "AliasArn": "arn:alias"},
            "get_function_configuration": {"State": "Active"},
            "list_event_source_mappings": {"EventSourceMappings": [{"UUID": "u-1", "State": "Enabled"}]},
            "list_rule_names_by_target": {"RuleNames": ["signups"]},
            "describe_rule": {"State": "ENABLED"},
            **calls,
        }

    def __getattr__(self, name: str) -> Any:
        def call(**_given: object) -> Any:
            answer = self.calls[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def get_paginator(self, _name: str) -> "FakeAws":
        return self


def use(stack: FakeStack, monkeypatch: pytest.MonkeyPatch, **calls: Any) -> None:
    described = json.loads((stack.state / "stack.json").read_text())
    (stack.state / "stack.json").write_text(json.dumps(described | FUNCTIONS))
    monkeypatch.setattr(Stack, "client", lambda _self, _service: FakeAws(**calls))
    stack.answers = answers() | {"POST /v1/tenants/*/checks": READY, "GET /v1/provisioning-requests": {"data": []}}


def line_of(out: str, *start: str) -> list[str]:
    """Return the cells of the first line that begins so."""
    return next(cells for line in out.splitlines() if (cells := line.split("\t"))[: len(start)] == list(start))


def test_a_healthy_stack_has_only_good_marks(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    use(stack, monkeypatch)
    ran = stack.run("doctor")
    assert ran.code == 0, ran.out
    assert {line.split("\t")[2] for line in ran.out.splitlines()} == {"ok"}
    assert line_of(ran.out, "stack", "caller")[3] == "You are arn:aws:iam::1:user/anna."
    assert line_of(ran.out, "stack", "worker")[3] == "fn-worker, version 7."
    assert line_of(ran.out, "tenants", "newco")[3] == "1 checks, nothing to fix."
    assert "✔ worker" in stack.run("doctor", width=100).out
    assert json.loads(stack.run("doctor --json").out)["stack"][0]["name"] == "caller"


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        (
            {"get_alias": DENIED},
            ("api", "unknown", "Not checked: arn:aws:iam::1:user/anna may not lambda:GetAlias on"),
        ),
        ({"get_function_configuration": {"State": "Failed"}}, ("api", "failed", "its state is Failed.")),
        ({"list_event_source_mappings": {"EventSourceMappings": []}}, ("queue", "failed", "No queue invokes")),
        (
            {"list_event_source_mappings": {"EventSourceMappings": [{"UUID": "u-1", "State": "Disabled"}]}},
            ("queue", "failed", "it is switched off."),
        ),
        ({"describe_rule": {"State": "DISABLED"}}, ("rules", "warning", "Switched off: signups.")),
    ],
)
def test_a_fault_of_the_stack_is_named(
    stack: FakeStack, monkeypatch: pytest.MonkeyPatch, calls: dict[str, Any], found: tuple[str, str, str]
) -> None:
    use(stack, monkeypatch, **calls)
    ran = stack.run("doctor")
    check, mark, seen = found
    cells = line_of(ran.out, "stack", check)
    assert (cells[2], seen in cells[3]) == (mark, True), cells
    assert ran.code == (5 if mark == "failed" else 0)


def test_a_tenant_that_fails_is_named_with_its_fix(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    use(stack, monkeypatch)
    rejected = {"seen": "Rejected (401).", "fix": "Rotate it.", "who": "close-admin"}
    failing = REPORT["checks"][2] | {"name": "key"} | rejected  # type: ignore[index]
    stack.answers["POST /v1/tenants/newco/checks"] = READY | {"ready": False, "checks": [failing]}
    stack.answers["GET /v1/sources"] = (403, {"message": "Forbidden"})
    ran = stack.run("doctor")
    assert ran.code == 5
    assert line_of(ran.out, "tenants", "newco")[2:] == ["failed", "key: Rejected (401).", "close-admin", "Rotate it."]
    assert line_of(ran.out, "sources")[2] == "unknown"


def test_a_clock_that_is_wrong_is_noticed(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    use(stack, monkeypatch)
    late = httpx.Response(200, json={"data": []}, headers={"date": "Fri, 27 Nov 2026 12:10:00 GMT"})
    stack.answers["GET /v1/provisioning-requests"] = late
    found = line_of(stack.run("doctor").out, "stack", "gateway")
    assert found[2:4] == ["warning", "It answers, and its clock differs from this machine's by 600 s."]


ALARM = {
    "MetricAlarms": [
        {
            "AlarmName": "close-provisioner-local-dead-letters",
            "StateUpdatedTimestamp": datetime(2026, 11, 27, 11, 0, tzinfo=UTC),
            "StateReason": "1 > 0",
        }
    ]
}


def test_an_alarm_needs_a_person(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    use(stack, monkeypatch, paginate=[ALARM])
    stack.answers["GET /v1/status"] = WELL
    ran = stack.run("status")
    assert ran.code == 5
    assert line_of(ran.out, "alarms") == ["alarms", "dead-letters since 11:00:00"]
    assert json.loads(stack.run("status --json").out)["alarms"][0]["suffix"] == "dead-letters"


def test_nothing_needs_a_person(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    use(stack, monkeypatch, paginate=[])
    stack.answers["GET /v1/status"] = WELL
    ran = stack.run("status")
    assert (ran.code, line_of(ran.out, "alarms")) == (0, ["alarms", "all off"])


@pytest.mark.parametrize(
    "change",
    [
        {"last_hour": {"failed": 1}},
        {"last_hour": {"unresolved": 1}},
        {"dead_letters": {"events": 1}},
        {"queue": {"depth": 1, "oldest_seconds": 3000}},
    ],
)
def test_each_trouble_needs_a_person(
    stack: FakeStack, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    use(stack, monkeypatch, paginate=[])
    stack.answers["GET /v1/status"] = WELL | change
    assert stack.run("status").code == 5
    assert STATUS["version"] == "0.2.0"


def test_alarms_of_other_stacks_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    class Pages(FakeAws):
        def paginate(self, **given: object) -> list[object]:
            asked.append(given)
            return []

    monkeypatch.setattr(Stack, "client", lambda _self, _service: Pages())
    alarms_that_are_on(Stack("prod", "https://x", "eu-central-1", "p/tenants", "p/sources", None))
    assert asked == [{"AlarmNamePrefix": "prod-", "StateValue": "ALARM"}]
