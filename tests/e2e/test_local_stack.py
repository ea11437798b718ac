"""The local stack itself: the output of `make run`, and the file for other tools."""

import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from infra.local.config import PROJECT
from infra.local.errors import StartupError
from infra.local.examples.examples import load_examples
from infra.local.run import Run
from infra.local.stack import LocalStack, local_stack
from provisioner.settings import Settings
from tests.e2e.conftest import OPTIONS

RECORD = "make run ONCE=1 PORT=0 LIST_LAG_SECONDS=2 RECORD=docs/images/make-run.svg"


def test_every_example_gives_the_expected_result(stack: LocalStack, tmp_path: Path) -> None:
    shown, record = io.StringIO(), tmp_path / "make-run.svg"
    good = Run.of(OPTIONS.model_copy(update={"record": record}), stack, Console(file=shown, width=200)).examples()
    assert good, shown.getvalue()
    assert "examples gave the expected result" in shown.getvalue()
    assert "14 of them became requests, and 4 of those fail on purpose" in shown.getvalue()
    for result in ("created", "unchanged", "adopted", "failed", "recovered", "Bad Request", "Not Found"):
        assert result in shown.getvalue()
    committed = (PROJECT / "docs" / "images" / "make-run.svg").read_text(encoding="utf-8")
    assert record.read_text(encoding="utf-8") == committed, f"draw it again: {RECORD}"


def test_an_unexpected_result_is_reported(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    example = next(each for each in load_examples() if each.name == "10-unknown-tenant")
    otherwise = replace(example, expect={"status": 201, "announced": None})
    monkeypatch.setattr("infra.local.run.load_examples", lambda: [otherwise])
    shown = io.StringIO()
    assert Run.of(OPTIONS, stack, Console(file=shown, width=200)).examples() is False
    assert "10-unknown-tenant: status: expected 201, got 404" in shown.getvalue()


def test_stack_json_holds_every_address(stack: LocalStack) -> None:
    described = json.loads((OPTIONS.state / "stack.json").read_text())
    assert list(described) == [
        "api_url",
        "aws_endpoint_url",
        "region",
        "queue_url",
        "dead_letter_queue_url",
        "topic_arn",
        "outcomes_queue_url",
        "table_name",
        "tenant_secret_prefix",
        "source_secret_prefix",
        "close_url",
        "functions",
    ]
    for handler in ("api", "webhooks", "events", "worker", "sweeper", "operator"):
        function = described["functions"][handler]
        assert list(function) == ["name", "handler", "environment"]
        assert function["handler"] == f"provisioner.handlers.{handler}.lambda_handler"
        settings = Settings.from_env(function["environment"])
        assert settings.close_api_url == f"{described['close_url']}/api/v1/"
        assert settings.ledger_table_name == described["table_name"]
        assert (settings.list_lag_seconds, settings.close_timeout_seconds) == (1, 3)
    addresses = [value for name, value in described.items() if name.endswith("_url")]
    assert all(address.startswith("http://127.0.0.1:") for address in addresses)


def test_a_second_stack_in_the_same_folder_cannot_start(stack: LocalStack) -> None:
    with pytest.raises(StartupError, match=rf"already running \(process {os.getpid()}\)"), local_stack(OPTIONS):
        pytest.fail("a second stack started")
    assert (OPTIONS.state / "stack.json").exists(), "the first stack is unaffected"


def test_fast_callers_are_not_throttled(stack: LocalStack) -> None:
    """Send more webhooks a second than the emulator would allow with the template's own limit."""
    with ThreadPoolExecutor(4) as senders:
        statuses = list(senders.map(lambda _: stack.http.deliver("stripe", b"{}", {}).status_code, range(120)))
    assert set(statuses) == {401}
