"""Releases whose traffic moves gradually: an alarm rolls them back, and a new version must make a plan before."""

import re
from typing import Any

import pytest

from infra.checks.aws.stack import Stack
from infra.checks.aws_rules import faults, monitoring
from infra.checks.cloudformation import Template, statements
from infra.checks.deployed import Deployed
from infra.checks.translated import translated
from tests.architecture.cloudformation_source import read_source
from tests.architecture.conftest import PROJECT

BOUNDARY = "arn:aws:iam::111122223333:policy/boundary"
KEY = "arn:aws:kms:us-east-1:111122223333:key/12345678-1234-1234-1234-123456789012"


@pytest.fixture(scope="module")
def gradual() -> Template:
    return translated("Release=canary", "TestTenant=canary", f"KeyArn={KEY}", f"PermissionsBoundaryArn={BOUNDARY}")


def groups(template: Template) -> dict[str, dict[str, Any]]:
    return Deployed(template).resources("AWS::CodeDeploy::DeploymentGroup")


def test_by_default_new_versions_serve_at_once(template: Template) -> None:
    assert groups(template) == {}
    assert "PreTrafficFunction" not in template.resources("AWS::Lambda::Function")


def test_the_translated_template_of_a_gradual_release_has_no_fault(gradual: Template) -> None:
    assert faults(Stack(gradual, monitoring())) == []
    assert gradual.holds("IsGradual")


def test_every_functions_traffic_moves_gradually_and_returns_at_an_alarm(gradual: Template) -> None:
    """Each alarm exists: CodeDeploy would not complain about one that does not."""
    names = {
        each["Properties"]["AlarmName"].replace("${Prefix}", "close-provisioner")
        for each in monitoring()["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    served = {name for name in gradual.resources("AWS::Lambda::Function") if name != "PreTrafficFunction"}
    assert {name.removesuffix("DeploymentGroup") for name in groups(gradual)} == served
    for group in groups(gradual).values():
        assert "Canary10Percent15Minutes" in str(group["DeploymentConfigName"])
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        assert {each["Name"] for each in group["AlarmConfiguration"]["Alarms"]} <= names
        assert group["AlarmConfiguration"]["Enabled"] is True


def test_the_linear_release_is_linear() -> None:
    [configured] = {str(each["DeploymentConfigName"]) for each in groups(translated("Release=linear")).values()}
    assert "Linear10PercentEvery1Minute" in configured


def test_the_hook_may_ask_the_new_version_and_answer_for_this_stack_only(gradual: Template) -> None:
    alias = gradual.source["Resources"]["ApiFunctionAliaslive"]
    assert alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["BeforeAllowTrafficHook"] == {
        "Ref": "PreTrafficFunction"
    }
    variables = gradual.properties("PreTrafficFunction")["Environment"]["Variables"]
    assert re.fullmatch(r"ApiFunctionVersion\w+", variables["NEW_VERSION"]["Ref"])
    assert variables["TEST_TENANT"] == "canary"
    deployed = Deployed(gradual)
    allowed = {
        each["Sid"]: (each["Action"], each["Resource"])
        for each in deployed.statements("PreTrafficRole")
        if "Sid" in each
    }
    assert allowed["NewVersion"][0] == "lambda:InvokeFunction"
    assert str(allowed["NewVersion"][1]).endswith(":function:close-provisioner-ApiFunction:*")
    assert str(allowed["Answer"][1]).endswith(":deploymentgroup:close-provisioner-*/*")
    release = {each["Sid"]: each["Resource"] for each in deployed.statements("ReleaseRole")}
    assert all("close-provisioner" in str(resource) for resource in release.values())


def test_a_key_of_ones_own_covers_everything_at_rest(gradual: Template) -> None:
    deployed = Deployed(gradual)
    assert {each["KmsMasterKeyId"] for each in deployed.resources("AWS::SQS::Queue").values()} == {KEY}
    assert {each["KmsMasterKeyId"] for each in deployed.resources("AWS::SNS::Topic").values()} == {KEY}
    assert {each["KmsKeyId"] for each in deployed.resources("AWS::Logs::LogGroup").values()} == {KEY}
    assert {each["KmsKeyArn"] for each in deployed.resources("AWS::Lambda::Function").values()} == {KEY}
    [table] = deployed.resources("AWS::DynamoDB::Table").values()
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
    assert not [each for each in deployed.resources("AWS::SQS::Queue").values() if "SqsManagedSseEnabled" in each]
    for function in deployed.resources("AWS::Lambda::Function").values():
        role = function["Role"].rpartition("/")[2].removeprefix("close-provisioner-")
        [statement] = [each for each in deployed.statements(role) if each.get("Sid") == "Key"]
        services = [each.partition(".")[0] for each in statement["Condition"]["StringEquals"]["kms:ViaService"]]
        assert (statement["Resource"], services) == (KEY, ["dynamodb", "sns", "sqs"])


def test_a_boundary_bounds_every_role(gradual: Template, template: Template) -> None:
    bounded = {name: each.get("PermissionsBoundary") for name, each in gradual.resources("AWS::IAM::Role").items()}
    assert set(bounded.values()) == {BOUNDARY}, bounded
    assert not [each for each in template.resources("AWS::IAM::Role").values() if "PermissionsBoundary" in each]


def test_the_pipelines_role_works_in_one_environment_of_one_repository() -> None:
    resources = read_source(PROJECT / "infra" / "pipeline" / "template.yaml")["Resources"]
    [trust] = resources["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    claims = trust["Condition"]["StringEquals"]
    assert claims["token.actions.githubusercontent.com:sub"] == "repo:${Repository}:environment:${Environment}"
    assert claims["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    deploying = {action for each in statements(resources["DeployRole"]["Properties"]) for action in _actions(each)}
    assert not [each for each in deploying if each.startswith(("lambda:", "dynamodb:", "sqs:")) or each.endswith(":*")]
    everything = [
        each["Sid"] for each in statements(resources["ExecutionRole"]["Properties"]) if each["Resource"] == "*"
    ]
    assert everything == ["Unnamed"]


def _actions(statement: dict[str, Any]) -> list[str]:
    return statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
