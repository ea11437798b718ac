"""The examples and their expected results, the commands to copy, and the cache of the build."""

import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from infra.local.api_client import ApiClient
from infra.local.config import Options
from infra.local.deployment import fingerprint, local_api_url
from infra.local.emulator import LocalAws
from infra.local.examples.examples import Example, Exchange, assign, load_examples
from infra.local.outcomes import Announcement
from infra.local.stack import LocalStack
from infra.local.stack_info import FunctionDescription, StackDescription
from infra.local.ui.next_steps import next_steps


class TestExamples:
    def test_every_entry_point_has_an_example(self) -> None:
        examples = load_examples()
        assert [each.name for each in examples] == sorted(each.name for each in examples)
        assert {each.entry_point for each in examples} == {"http", "queue", "plan", "webhook"}
        assert all(each.shows for each in examples)

    def test_a_difference_from_the_expected_result_is_a_fault(self) -> None:
        exchange = sent({"status": 201, "headers": {"Preference-Applied": "respond-async"}, "announced": "created"})
        assert [fault.partition(":")[0] for fault in exchange.faults()] == ["status", "headers", "announced"]
        exchange.status, exchange.headers = 201, {"preference-applied": "respond-async"}
        assert exchange.faults() == ["announced: expected 'created', got None"]
        assert exchange.takes(announced("created"))
        assert exchange.faults() == []

    def test_an_announcement_goes_to_the_example_that_waits_for_it(self) -> None:
        silent, waiting = sent({"announced": None}), sent({"announced": "created"})
        assert assign(announced("created", request_id="another"), [silent, waiting]) is None
        assert assign(announced("created"), [silent, waiting]) is waiting
        assert assign(announced("created"), [silent, waiting]) is None, "that example has its own"


def test_an_api_url_becomes_an_address_of_the_emulator() -> None:
    url = local_api_url(LocalAws(4566), "https://abc123.execute-api.us-east-1.amazonaws.com/live")
    assert url == "http://127.0.0.1:4566/_aws/execute-api/abc123/live"


def test_a_changed_source_is_built_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("infra.local.deployment.PROJECT", tmp_path)
    (tmp_path / "functions" / "__pycache__").mkdir(parents=True)
    before = fingerprint()
    (tmp_path / "functions" / "__pycache__" / "api.pyc").touch()
    assert fingerprint() == before, "compiled files are not sources"
    (tmp_path / "functions" / "api.py").write_text("pass")
    assert fingerprint() != before


def test_the_commands_to_copy_are_complete() -> None:
    text = next_steps(Options(), a_stack()).plain
    commands = [shlex.split(part) for part in text.replace("\\\n", " ").splitlines() if part.strip().startswith("curl")]
    assert [command[-1] for command in commands] == [
        "http://127.0.0.1:1/",
        "http://127.0.0.1:1/api/v1/provisioning-requests",
        "http://127.0.0.1:1/",
    ]
    assert all(command[:4] == ["curl", "-si", "--aws-sigv4", command[3]] for command in commands)


def sent(expect: dict[str, Any]) -> Exchange:
    body = {"tenant": "acme", "request_id": "r-1", "custom_object_type": {"name": "Project"}}
    return Exchange(Example("01", "something", "http", body, expect), time.time(), "r-1")


def announced(result: str, request_id: str = "r-1") -> Announcement:
    data = {"tenant": "acme", "request_id": request_id, "result": result}
    return Announcement({"data": data}, {}, "", time.time())


def a_stack() -> LocalStack:
    function = FunctionDescription("f", "h", {})
    description = StackDescription(
        "http://127.0.0.1:1/api",
        "http://127.0.0.1:1",
        "us-east-1",
        "http://127.0.0.1:1/queue",
        "http://127.0.0.1:1/dead",
        "arn:topic",
        "http://127.0.0.1:1/outcomes",
        "table",
        "tenants",
        "sources",
        "http://127.0.0.1:2",
        {"api": function},
    )
    return LocalStack(LocalAws(1), description, ApiClient(description.api_url), None, {}, {}, "", ())
