"""A VPC of one's own: every function is in it, or none; Lambda may connect them, and their code may not."""

import pytest

from infra.checks.aws.stack import Stack
from infra.checks.aws_rules import faults, monitoring
from infra.checks.cloudformation import Template
from infra.checks.deployed import Deployed, role_of
from infra.checks.translated import translated
from tests.strict_aws.iam import NeededPermission, allowing
from tests.strict_aws.platform import IN_A_VPC

SUBNETS = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
GROUP = "sg-0123456789abcdef0"


@pytest.fixture(scope="module")
def placed() -> Template:
    return translated("Release=canary", f"SubnetIds={','.join(SUBNETS)}", f"SecurityGroupId={GROUP}")


def test_every_function_is_in_the_vpc(placed: Template) -> None:
    functions = Deployed(placed).resources("AWS::Lambda::Function")
    assert "PreTrafficFunction" in functions
    for name, each in functions.items():
        assert each["VpcConfig"] == {"SubnetIds": SUBNETS, "SecurityGroupIds": [GROUP]}, name


def test_by_default_there_is_no_vpc(template: Template) -> None:
    assert not [each for each in template.resources("AWS::Lambda::Function").values() if "VpcConfig" in each]
    actions = [
        str(each) for role in template.resources("AWS::IAM::Role") for each in Deployed(template).statements(role)
    ]
    assert not [each for each in actions if "ec2:" in each]


def test_lambda_may_connect_each_function_and_its_code_may_not(placed: Template) -> None:
    deployed = Deployed(placed)
    own = {"lambda:SourceFunctionArn": ["arn:aws:lambda:us-east-1:111122223333:function:any"]}
    for function in placed.resources("AWS::Lambda::Function").values():
        statements = deployed.statements(role_of(function))
        for action in IN_A_VPC:
            assert allowing(statements, NeededPermission(action, "*")), (role_of(function), action)
            assert not allowing(statements, NeededPermission(action, "*", own)), (role_of(function), action)


def test_the_translated_template_with_a_vpc_has_no_fault(placed: Template) -> None:
    assert faults(Stack(placed, monitoring())) == []


def test_subnets_and_the_security_group_are_given_together(template: Template) -> None:
    rules = template.source["Rules"]
    for rule, given, needed in (
        ("SubnetsHaveASecurityGroup", "SubnetIds", "SecurityGroupId"),
        ("TheSecurityGroupHasSubnets", "SecurityGroupId", "SubnetIds"),
    ):
        assert rules[rule]["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": given}, ""]}]}
        [assertion] = rules[rule]["Assertions"]
        assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": needed}, ""]}]}
