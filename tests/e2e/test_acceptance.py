"""The acceptance of a deployment, by the code of ``make acceptance``; and that its scenarios can fail."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient

from infra.acceptance.__main__ import Program, Row, accept, conclude, play
from infra.acceptance.scenarios import ALONE_FIRST, ALONE_LAST, AT_ONCE, Scenario
from infra.acceptance.stage import Stage
from infra.acceptance.target import local_target
from infra.checks.cloudformation import as_list, statements
from infra.local.config import PROJECT
from infra.local.stack import LocalStack
from infra.simulator import ControlClient
from tests.architecture.cloudformation_source import read_source

ELSEWHERE = {
    *(
        "cloudformation:DescribeStacks",
        "execute-api:Invoke",
        "lambda:GetFunctionConfiguration",
        "lambda:InvokeFunction",
    ),
    *("lambda:ListFunctions", "lambda:ListFunctionUrlConfigs", "iam:SimulatePrincipalPolicy", "xray:GetTraceSummaries"),
}
"""Actions that a run needs on AWS, and not on this machine."""


@pytest.fixture(scope="session")
def accepted(stack: LocalStack) -> Iterator[tuple[list[Row], str]]:
    """Yield the rows of a run, and what it printed. Everything that it made is removed at the end of all tests.

    A run by itself waits for half a minute before: until no message of it is on the queue.
    """
    stage, said = Stage(local_target(stack)), list[str]()
    with recorded() as called:
        rows = play(stage, said.append)
    yield rows, "\n".join(said)
    with recorded() as called_at_the_end:
        row = conclude(stage, said.append)
    assert row.good, row.seen
    assert not {each for each in everything_in(stack) if stage.run in each or each in stage.items}
    assert called | called_at_the_end | ELSEWHERE == granted_to_the_pipeline()


def test_the_stack_is_accepted(accepted: tuple[list[Row], str]) -> None:
    rows, said = accepted
    assert [row for row in rows if row.good is False] == [], said
    assert [row.scenario.name for row in rows if row.good is None] == ["traces"]
    assert len(rows) == len(ALONE_FIRST) + len(AT_ONCE) + len(ALONE_LAST)


@contextmanager
def recorded() -> Iterator[set[str]]:
    """Yield a set that gets the IAM action of each call to AWS while it is entered."""
    called: set[str] = set()
    call = BaseClient._make_api_call

    def noted(client: Any, operation: str, parameters: Any) -> Any:
        service = client.meta.service_model.signing_name.replace("monitoring", "cloudwatch")
        called.add(f"{service}:{operation}")
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", noted)
        yield called


def granted_to_the_pipeline() -> set[str]:
    """Return the actions of the role that accepts deployments."""
    role = read_source(PROJECT / "infra" / "pipeline" / "template.yaml")["Resources"]["AcceptRole"]
    return {action for each in statements(role["Properties"]) for action in as_list(each["Action"])}


def everything_in(stack: LocalStack) -> set[str]:
    """Return the names of what a run makes: items, secrets, queues, subscriptions, organizations."""
    client = stack.aws.client
    assert stack.close
    items = client("dynamodb").get_paginator("scan").paginate(TableName=stack.description.table_name)
    return {
        *items.search("Items[].pk.S"),
        *client("secretsmanager").get_paginator("list_secrets").paginate().search("SecretList[].Name"),
        *client("sqs").list_queues()["QueueUrls"],
        *(each["SubscriptionArn"] for each in client("sns").list_subscriptions()["Subscriptions"]),
        *(each["id"] for each in stack.close.call("GET", "organizations/")["data"]),
    }


@pytest.fixture
def broken(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    """Break the stack: no fault strikes, and a role allows too much."""
    monkeypatch.setattr(ControlClient, "arm", lambda *_, **__: {})
    role = stack.aws.client("lambda").get_function_configuration(FunctionName=stack.description.functions["api"].name)[
        "Role"
    ]
    iam, policy = stack.aws.client("iam"), {"RoleName": role.rpartition("/")[2], "PolicyName": "too-much"}
    statement = {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(**policy, PolicyDocument=document)
    yield stack
    iam.delete_role_policy(**policy)


def test_a_broken_stack_is_not_accepted(broken: LocalStack) -> None:
    left: list[str] = []

    def litter(stage: Stage) -> str:
        stage.keep_secret(f"{stage.run}-litter", "x")
        stage.undo.pop()
        left.append(f"{stage.run}-litter")
        return "made"

    names = ("a create with a lost response", "Close's rate limit", "permissions that roles lack")
    chosen = [*(each for each in AT_ONCE if each.name in names), Scenario("litter", "made", litter)]
    rows = accept(local_target(broken), lambda _: None, Program((), chosen, ()))
    broken.aws.client("secretsmanager").delete_secret(SecretId=left[0], ForceDeleteWithoutRecovery=True)
    assert {row.scenario.name: (row.good, row.seen) for row in rows} == {
        "a create with a lost response": (False, "created, types: 1, creates: 1"),
        "Close's rate limit": (False, "created after 201; attempts: 1"),
        "permissions that roles lack": (False, "2 denied, 2 allowed"),
        "litter": (True, "made"),
        "what the run leaves behind": (False, f"the secret {left[0]}"),
    }
