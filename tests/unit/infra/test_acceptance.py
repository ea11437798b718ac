"""The judgment of acceptance: a scenario that shows something else, fails or is skipped, and the removal after it."""

import json
from collections.abc import Mapping
from typing import Any
from unittest.mock import MagicMock

import pytest

from infra.acceptance import __main__ as acceptance
from infra.acceptance.__main__ import Program, Row, accept
from infra.acceptance.operation import alarm, dead_letter, logged, silent
from infra.acceptance.removal import remove
from infra.acceptance.scenarios import Scenario
from infra.acceptance.simulated_close import InvokedControls
from infra.acceptance.stage import Party, Skipped, Stage
from infra.acceptance.target import NotAcceptable, Target, deployed_target
from infra.acceptance.trouble import cold, killed

OUTPUTS = {
    "OutcomesTopicArn": "arn:aws:sns:eu-central-1:1:outcomes",
    "LedgerTableName": "ledger",
    "ProvisioningQueueUrl": "https://queue",
    "DeadLetterQueueUrl": "https://dead",
    "TenantSecretPrefix": "tenants",
    "ApiFunctionName": "api",
    "WorkerFunctionName": "worker",
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Return the one client of every service. It finds nothing, and no time passes."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("infra.acceptance.stage.PATIENCE_SECONDS", 0.0)
    client = MagicMock()
    client.get_paginator.return_value.paginate.return_value = Paginated([])
    client.list_queues.return_value = {}
    client.receive_message.return_value = {}
    client.get_queue_attributes.return_value = {"Attributes": {"QueueArn": "arn:aws:sqs:eu-central-1:1:queue"}}
    return client


class Paginated(list[Any]):
    """The pages of a paginator."""

    def search(self, _: str) -> list[Any]:
        return list(self)


@pytest.fixture
def stage(aws: MagicMock) -> Stage:
    session = MagicMock()
    session.client.return_value = aws
    http, environment = MagicMock(), {"FALLBACK_DELAY_SECONDS": "30"}
    return Stage(Target("stack", OUTPUTS, environment, session, MagicMock(), http))


def fails(_: Stage) -> str:
    raise LookupError("nothing is there")


def skips(_: Stage) -> str:
    raise Skipped("not possible here")


def judged(stage: Stage, *scenarios: Scenario) -> dict[str, Row]:
    rows = accept(stage.target, lambda _: None, Program((), scenarios, ()))
    return {row.scenario.name: row for row in rows}


def test_only_what_is_expected_is_good(stage: Stage) -> None:
    rows = judged(
        stage,
        Scenario("as expected", "201", lambda _: "201"),
        Scenario("otherwise", "201", lambda _: "202"),
        Scenario("failed", "201", fails),
        Scenario("skipped", "201", skips),
    )
    assert {name: (row.good, row.seen) for name, row in rows.items()} == {
        "as expected": (True, "201"),
        "otherwise": (False, "202"),
        "failed": (False, "LookupError: nothing is there"),
        "skipped": (None, "not possible here"),
        "what the run leaves behind": (True, "nothing"),
    }
    assert str(rows["otherwise"]).startswith("WRONG   otherwise")


def test_everything_is_removed_after_a_failure_too(stage: Stage, aws: MagicMock) -> None:
    aws.delete_queue.side_effect = ConnectionError("no answer")
    rows = judged(stage, Scenario("failed", "201", fails))
    aws.unsubscribe.assert_called_once()
    assert (rows["what the run leaves behind"].good, rows["what the run leaves behind"].seen) == (
        False,
        "ConnectionError: no answer",
    )


def test_a_run_that_cannot_listen_removes_its_queue(stage: Stage, aws: MagicMock) -> None:
    aws.subscribe.side_effect = PermissionError("not allowed")
    with pytest.raises(PermissionError):
        judged(stage)
    aws.delete_queue.assert_called_once()


def test_what_is_left_is_named(stage: Stage, aws: MagicMock) -> None:
    def paginated(operation: str) -> MagicMock:
        found: dict[str, list[Any]] = {
            "scan": [{"Items": [{"pk": {"S": "REQUEST#1"}}]}],
            "list_secrets": [f"tenants/{stage.run}-1", "tenants/acme"],
            "list_subscriptions_by_topic": [f"arn:aws:sqs:eu-central-1:1:stack-{stage.run}", "me@example.com"],
        }
        return MagicMock(**{"paginate.return_value": Paginated(found[operation])})

    aws.get_paginator.side_effect = paginated
    aws.list_queues.return_value = {"QueueUrls": ["https://queue"]}
    assert remove(stage) == [
        "the item REQUEST#1",
        f"the secret tenants/{stage.run}-1",
        "the queue https://queue",
        f"the subscription of arn:aws:sqs:eu-central-1:1:stack-{stage.run}",
    ]
    aws.delete_item.assert_called_once_with(TableName="ledger", Key={"pk": {"S": "REQUEST#1"}})


def lines(stage: Stage, aws: MagicMock, *found: Mapping[str, Any] | str) -> None:
    """Let every log hold these lines."""
    texts = [each if isinstance(each, str) else json.dumps(each) for each in found]
    aws.get_paginator.return_value.paginate.return_value = Paginated(texts)


def test_a_log_line_without_a_key_is_reported(stage: Stage, aws: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "party", lambda _: Party("acme", "orga_acme", "api_secret"))
    monkeypatch.setattr(Stage, "result", lambda *_: "created")
    monkeypatch.setattr(Party, "asks", lambda *_: {"tenant": "acme", "request_id": "r-1"})
    line: dict[str, Any] = {"message": "settled", "tenant": "acme", "request_id": "r-1", "id": "1", "result": "created"}
    line |= {"attempts": 1, "service": "stack", "function_request_id": "f", "cold_start": False}
    lines(stage, aws, line)
    assert logged(stage) == "settled, created, attempts: 1"
    lines(stage, aws, {name: value for name, value in line.items() if name != "id"})
    assert logged(stage) == "a line without id"
    lines(stage, aws, line | {"request_id": "r-2"})
    with pytest.raises(TimeoutError, match="the line of the request"):
        logged(stage)


def test_a_credential_in_a_log_is_found_and_an_unread_log_too(stage: Stage, aws: MagicMock) -> None:
    stage.parties.append(Party(f"{stage.run}-1", "orga_1", "api_secret"))
    lines(stage, aws, f"{stage.run}-1 settled")
    assert silent(stage) == "none"
    lines(stage, aws, f"{stage.run}-1 settled with api_secret")
    assert silent(stage) == "api, webhooks, worker"
    lines(stage, aws, "of another run")
    assert silent(stage) == "no line of the run in the log of api, worker"


def test_an_alarm_that_does_not_change_is_seen(stage: Stage, aws: MagicMock) -> None:
    aws.describe_alarms.return_value = {"MetricAlarms": [{"StateValue": "OK"}]}
    assert alarm(stage) == "OK, OK"


def test_a_dead_letter_message_without_a_reason_is_seen(
    stage: Stage, aws: MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stage, "outcome", lambda *_: MagicMock(data={"result": "failed"}))
    aws.send_message.return_value = {"MessageId": "m-1"}
    attributes = {"message_id": {"StringValue": "m-1"}, "reason": {"StringValue": ""}}
    aws.receive_message.return_value = {"Messages": [{"MessageAttributes": attributes, "ReceiptHandle": "h"}]}
    assert dead_letter(stage) == "failed, kept with no reason"


def test_warm_environments_prove_no_cold_start(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "party", lambda _: Party("acme", "orga_acme", "api_secret"))
    monkeypatch.setattr(Stage, "post", lambda *_: MagicMock(status_code=201))
    monkeypatch.setattr(Stage, "log", lambda *_: [{"cold_start": False}])
    with pytest.raises(Skipped, match="every environment was warm"):
        cold(stage)


def test_a_function_on_aws_is_not_killed(stage: Stage) -> None:
    with pytest.raises(Skipped, match="not possible here"):
        killed(stage)


def deployed(monkeypatch: pytest.MonkeyPatch, close_api_url: str) -> MagicMock:
    """Return the session of an account that has the stack."""
    stack = {
        "Outputs": [
            {"OutputKey": name, "OutputValue": value} for name, value in {**OUTPUTS, "ApiUrl": "https://api"}.items()
        ],
        "Parameters": [{"ParameterKey": "EventBusName", "ParameterValue": ""}],
    }
    client = MagicMock()
    client.describe_stacks.return_value = {"Stacks": [stack]}
    client.get_function_configuration.return_value = {"Environment": {"Variables": {"CLOSE_API_URL": close_api_url}}}
    client.get_paginator.return_value.paginate.return_value = [{"Functions": [{"FunctionName": "close"}]}]
    configs = [{"FunctionUrl": "https://abc.lambda-url.eu-central-1.on.aws/"}]
    client.list_function_url_configs.return_value = {"FunctionUrlConfigs": configs}
    session = MagicMock(region_name="eu-central-1")
    session.client.return_value = client
    monkeypatch.setattr("boto3.Session", lambda: session)
    return session


def test_a_deployed_stack_is_read_from_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    session = deployed(monkeypatch, "https://abc.lambda-url.eu-central-1.on.aws/api/v1/")
    target = deployed_target("stack")
    assert isinstance(target.close, InvokedControls)
    assert (target.close.function_name, target.http.api_url, target.event_bus) == ("close", "https://api", None)
    assert (target.processes, target.endpoint_url) == (None, None)
    session.client.assert_any_call("cloudformation")


def test_a_stack_of_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    session = deployed(monkeypatch, "https://abc.lambda-url.eu-central-1.on.aws/api/v1/")
    session.client().describe_stacks.return_value = {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}
    with pytest.raises(NotAcceptable, match="its state: ROLLBACK_COMPLETE"):
        deployed_target("stack")


def test_a_stack_that_calls_the_real_close_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(monkeypatch, "https://api.close.com/api/v1/")
    with pytest.raises(NotAcceptable, match="needs the simulated Close"):
        deployed_target("stack")
    assert acceptance.main(["stack"]) == 2
    assert "make simulator" in capsys.readouterr().err
