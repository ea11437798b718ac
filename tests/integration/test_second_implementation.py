"""The translated template on moto, a second implementation of CloudFormation, as far as it goes.

moto makes the data and the roles of the stack. It knows no queue policy, and stops at the first Lambda version, and so
at everything that needs one: functions' aliases, the HTTP API's stage, event sources and alarms by function.
"""

import ast
import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import pytest
from moto import mock_aws

from infra.checks.cloudformation import as_list
from infra.checks.deployed import Deployed, references
from infra.checks.translated import translated

STACK = "close-provisioner"
AS_FAR_AS = {
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::Logs::LogGroup",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
}


def as_far_as_moto_goes() -> dict[str, Any]:
    """Return the template with the resources of these types, and without those that refer to others."""
    source: dict[str, Any] = json.loads(json.dumps(translated().source))
    kept = {name: each for name, each in source["Resources"].items() if each["Type"] in AS_FAR_AS}
    while left := [name for name, each in kept.items() if references(each) & (set(source["Resources"]) - set(kept))]:
        for name in left:
            del kept[name]
    return {**source, "Resources": kept, "Outputs": {}, "Rules": {}}


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, str]]:
    """Yield the physical name of each resource that moto made."""
    environment = {"AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "us-east-1"}
    with mock.patch.dict("os.environ", environment), mock_aws():
        cloudformation = boto3.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=json.dumps(as_far_as_moto_goes()),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": "GatewayLogging", "ParameterValue": "already-set"}],
        )
        [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        yield {
            each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources if "LogicalResourceId" in each
        }


def test_moto_makes_the_data_and_the_roles(made: dict[str, str]) -> None:
    assert {"LedgerTable", "ProvisioningQueue", "DeadLetterQueue", "OutcomesTopic", "WorkerRole", "ApiRole"} <= set(
        made
    )


def test_the_table_has_its_keys_and_its_indexes(made: dict[str, str]) -> None:
    dynamodb = boto3.client("dynamodb")
    table = dynamodb.describe_table(TableName=made["LedgerTable"])["Table"]
    [expected] = Deployed(translated()).resources("AWS::DynamoDB::Table").values()
    assert table["KeySchema"] == expected["KeySchema"]
    assert {each["IndexName"] for each in table["GlobalSecondaryIndexes"]} == {
        each["IndexName"] for each in expected["GlobalSecondaryIndexes"]
    }
    assert table["DeletionProtectionEnabled"] is True


def test_the_queue_hands_over_to_its_dead_letter_queue(made: dict[str, str]) -> None:
    sqs = boto3.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=made["ProvisioningQueue"], AttributeNames=["All"])["Attributes"]
    dead = sqs.get_queue_attributes(QueueUrl=made["DeadLetterQueue"], AttributeNames=["QueueArn"])["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert (redrive["deadLetterTargetArn"], int(redrive["maxReceiveCount"])) == (dead["QueueArn"], 5)
    assert (attributes["VisibilityTimeout"], attributes["SqsManagedSseEnabled"]) == ("360", "true")


def test_a_role_has_the_statements_that_our_own_evaluation_finds(made: dict[str, str]) -> None:
    """Two implementations resolve the same references: actions, and the resources' kinds."""
    iam = boto3.client("iam")
    for role in ("WorkerRole", "WebhooksRole", "SweeperRole"):
        [name] = iam.list_role_policies(RoleName=made[role])["PolicyNames"]
        found = iam.get_role_policy(RoleName=made[role], PolicyName=name)["PolicyDocument"]
        document = ast.literal_eval(found) if isinstance(found, str) else found  # moto keeps Python's text of it
        granted = [each for each in document["Statement"] if each]  # and None for AWS::NoValue
        theirs = [(each["Sid"], as_list(each["Action"])) for each in granted]
        ours = [(each["Sid"], as_list(each["Action"])) for each in Deployed(translated()).statements(role)]
        assert theirs == ours
        resources = [each for statement in granted for each in as_list(statement["Resource"])]
        assert all(each == "*" or str(each).startswith("arn:aws:") for each in resources), resources
