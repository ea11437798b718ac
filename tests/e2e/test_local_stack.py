"""The local stack itself: what `make run` shows, and what it tells other tools."""

import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from rich.console import Console

from infra.local.errors import StartupError
from infra.local.examples.examples import load_examples
from infra.local.run import Run
from infra.local.stack import LocalStack, local_stack
from provisioner.settings import Settings
from tests.e2e.conftest import OPTIONS


def test_every_example_comes_out_as_it_should(stack: LocalStack) -> None:
    shown = io.StringIO()
    good = Run.of(OPTIONS, stack, Console(file=shown, width=200)).examples()
    assert good, shown.getvalue()
    assert "examples came out as they should" in shown.getvalue()
    for result in ("created", "unchanged", "adopted", "failed", "recovered", "400 Bad Request", "404 Not Found"):
        assert result in shown.getvalue()


def test_an_example_that_comes_out_otherwise_is_said(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    example = next(each for each in load_examples() if each.name == "10-unknown-tenant")
    otherwise = replace(example, expect={"status": 201, "announced": None})
    monkeypatch.setattr("infra.local.run.load_examples", lambda: [otherwise])
    shown = io.StringIO()
    assert Run.of(OPTIONS, stack, Console(file=shown, width=200)).examples() is False
    assert "10-unknown-tenant: status should be 201, and is 404" in shown.getvalue()


def test_stack_json_tells_other_tools_where_everything_is(stack: LocalStack) -> None:
    told = json.loads((OPTIONS.state / "stack.json").read_text())
    assert list(told) == [
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
    for door in ("api", "webhooks", "events", "worker", "sweeper"):
        function = told["functions"][door]
        assert list(function) == ["name", "handler", "environment"]
        assert function["handler"] == f"provisioner.{door}.lambda_handler"
        settings = Settings.from_env(function["environment"])
        assert settings.close_api_url == f"{told['close_url']}/api/v1/"
        assert settings.ledger_table_name == told["table_name"]
        assert (settings.list_lag_seconds, settings.close_timeout_seconds) == (1, 3)
    addresses = [value for name, value in told.items() if name.endswith("_url")]
    assert all(address.startswith("http://127.0.0.1:") for address in addresses)


def test_a_second_one_in_the_same_place_is_refused(stack: LocalStack) -> None:
    with pytest.raises(StartupError, match=rf"already running \(process {os.getpid()}\)"), local_stack(OPTIONS):
        pytest.fail("it came up")
    assert (OPTIONS.state / "stack.json").exists(), "the first one is left alone"


def test_nobody_is_turned_away_however_fast_they_call(stack: LocalStack) -> None:
    """What the emulator makes of the template's throttling would strike a fast machine's tests, at random."""
    with ThreadPoolExecutor(4) as senders:
        answers = list(senders.map(lambda _: stack.http.deliver("stripe", b"{}", {}).status_code, range(120)))
    assert set(answers) == {401}
