"""The managed policies of operators suffice for the commands of each part, and allow nothing that no command needs."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from infra.checks.cloudformation import Template, as_list
from provisioner.handlers.operator import ROUTES
from tests.architecture.conftest import PROJECT
from tests.architecture.test_template import operations

CLI = PROJECT / "cli" / "close_provisioner"
STACK = "close-provisioner"
API = "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3d4e5/live"
SECRETS = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:close-provisioner"
FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:close-provisioner-WorkerFunction-abc"
RULE = "arn:aws:events:eu-central-1:111122223333:rule/close-provisioner-EventsFunction"
ALARM = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:close-provisioner-worker-errors"
STACK_ARN = "arn:aws:cloudformation:eu-central-1:111122223333:stack/close-provisioner/1"
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::AccountId": "111122223333",
    "AWS::StackName": STACK,
    "AWS::StackId": STACK_ARN,
    "Api": "a1b2c3d4e5",
    "TenantSecretPrefix": "close-provisioner/tenants",
    "SourceSecretPrefix": "close-provisioner/sources",
}

type Call = tuple[str, str]
"""An action of IAM, and the resource that it is for."""


def route(method_and_path: str) -> Call:
    return "execute-api:Invoke", f"{API}/{method_and_path}"


def secret(action: str, name: str) -> Call:
    return f"secretsmanager:{action}", f"{SECRETS}/{name}-AbCdEf"


KEY = "0" * 32
READS = [
    route(path) for path in ("GET/v1/status", "GET/v1/audit", "GET/v1/tenants", "GET/v1/tenants/acme", "POST/v1/plans")
]
READER: list[Call] = [
    *READS,
    ("cloudformation:DescribeStacks", STACK_ARN),
    ("cloudwatch:DescribeAlarms", ALARM),
]
CHECKS = [
    route("POST/v1/tenants/acme/checks"),
    route("POST/v1/tenants/acme/resumptions"),
    route("POST/v1/sources/stripe/checks"),
]
ON_CALL: list[Call] = [
    *READER,
    *CHECKS,
    route(f"POST/v1/provisioning-requests/{KEY}/retries"),
    route(f"POST/v1/provisioning-requests/{KEY}/resolutions"),
    route("POST/v1/dead-letters/redrives"),
    route("POST/v1/dead-letters/drops"),
    ("lambda:GetAlias", FUNCTION),
    ("lambda:GetFunctionConfiguration", FUNCTION),
    ("lambda:ListEventSourceMappings", "*"),
    ("events:ListRuleNamesByTarget", RULE),
    ("events:DescribeRule", RULE),
]
STORED = [
    secret(action, f"{name}/acme")
    for action in ("CreateSecret", "DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage")
    for name in ("tenants", "sources")
]
ONBOARDER: list[Call] = [
    *READER,
    *CHECKS,
    *STORED,
    secret("DeleteSecret", "tenants/check-1"),
    secret("GetSecretValue", "sources/stripe"),
]
ADMIN: list[Call] = [
    *ON_CALL,
    *ONBOARDER,
    route("POST/v1/provisioning-requests"),
    route("DELETE/v1/tenants/acme/memory"),
    secret("DeleteSecret", "tenants/acme"),
]
NEEDED: Mapping[str, list[Call]] = {
    "ReaderPolicy": READER,
    "OnCallPolicy": ON_CALL,
    "OnboarderPolicy": ONBOARDER,
    "AdminPolicy": ADMIN,
}
"""The calls of each part: docs/guides/roles.md has the commands."""


def filled(resource: object) -> str:
    """Return an ARN of the template, or a pattern of ARNs, in a stack named close-provisioner."""
    match resource:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)\}", lambda found: VALUES[found[1]], text)
        case {"Ref": str(name)}:
            return VALUES[name]
    return str(resource)


def granted(template: Template, policy: str) -> Iterator[Call]:
    document = template.resources("AWS::IAM::ManagedPolicy")[policy]["PolicyDocument"]
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in as_list(statement["Action"]):
            yield from ((action, filled(resource)) for resource in as_list(statement["Resource"]))


def allows(grant: Call, call: Call) -> bool:
    return grant[0] == call[0] and fnmatchcase(call[1], grant[1])


def test_there_are_four(template: Template) -> None:
    assert template.resources("AWS::IAM::ManagedPolicy").keys() == NEEDED.keys()
    assert not Template(template.source, {"OperatorApi": "off"}).resources("AWS::IAM::ManagedPolicy")


@pytest.mark.parametrize("policy", NEEDED)
def test_a_policy_suffices_for_its_commands(template: Template, policy: str) -> None:
    grants = list(granted(template, policy))
    assert [call for call in NEEDED[policy] if not any(allows(grant, call) for grant in grants)] == []


@pytest.mark.parametrize("policy", NEEDED)
def test_every_grant_of_a_policy_is_needed(template: Template, policy: str) -> None:
    unneeded = [grant for grant in granted(template, policy) if not any(allows(grant, call) for call in NEEDED[policy])]
    assert unneeded == []


def invoked(template: Template, policy: str, method: str, resource: str) -> bool:
    call = route(f"{method}{re.sub(r'{[a-z]+}', 'x', resource)}")
    return any(allows(grant, call) for grant in granted(template, policy))


def test_each_route_of_operators_needs_the_least_part_that_may_call_it(template: Template) -> None:
    """Readers change nothing, and only an admin deletes."""
    for method, resource in ROUTES:
        allowed = {policy for policy in NEEDED if invoked(template, policy, method, resource)}
        expected = set(NEEDED)
        if method == "DELETE":
            expected = {"AdminPolicy"}
        elif method == "POST":
            may_onboard = {"OnboarderPolicy"} if resource.endswith(("/checks", "/resumptions")) else set()
            expected = {"OnCallPolicy", "AdminPolicy", *may_onboard}
        assert allowed == expected, (method, resource)


@pytest.mark.parametrize("policy", NEEDED)
def test_no_operator_reads_a_tenants_credential(template: Template, policy: str) -> None:
    call = secret("GetSecretValue", "tenants/acme")
    assert not any(allows(grant, call) for grant in granted(template, policy))


@pytest.mark.parametrize("policy", ["ReaderPolicy", "OnCallPolicy"])
def test_only_those_who_add_tenants_touch_secrets(template: Template, policy: str) -> None:
    assert not [action for action, _ in granted(template, policy) if action.startswith("secretsmanager:")]


def calls_of_the_command_line() -> set[str]:
    """Return the actions that the command line names in its errors: one for each call to AWS."""
    found: set[str] = set()
    for path in Path(CLI).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z-]+:[A-Z][A-Za-z]+", str(node.value)):
                found.add(str(node.value))
    return found


def test_every_call_of_the_command_line_to_aws_is_allowed_to_an_admin(template: Template) -> None:
    without_permission = {"sts:GetCallerIdentity"}  # AWS allows it to every principal
    allowed = {action for action, _ in granted(template, "AdminPolicy")}
    assert calls_of_the_command_line() - without_permission <= allowed


def test_no_policy_allows_everything(template: Template) -> None:
    for policy in NEEDED:
        for action, resource in granted(template, policy):
            assert "*" not in action, policy
            assert resource != "*" or action == "lambda:ListEventSourceMappings", (policy, action)
    assert (
        len(json.dumps(template.properties("AdminPolicy")["PolicyDocument"])) < 6144 * 2
    )  # AWS's limit, names unfilled


def documented_for_acme() -> list[str]:
    """Return the ARNs of the documented policy that binds a caller to the tenant acme."""
    page = (PROJECT / "docs" / "reference" / "http-api.md").read_text(encoding="utf-8")
    section = page.partition("## Bind a caller to tenants")[2].partition("\n## ")[0]
    policy = json.loads(section.split("```")[1])
    assert (policy["Effect"], policy["Action"]) == ("Allow", "execute-api:Invoke")
    resources: list[str] = policy["Resource"]
    return resources


def test_a_caller_who_is_bound_to_a_tenant_reads_and_sends_its_requests_only(template: Template) -> None:
    patterns = documented_for_acme()
    allowed = {
        f"{method.upper()} {path}"
        for method, path in operations(template)
        for call in [route(f"{method.upper()}{path.replace('{tenant}', 'acme').replace('{id}', KEY)}")]
        if any(fnmatchcase(call[1], pattern) for pattern in patterns)
    }
    requests = "/v1/tenants/{tenant}/provisioning-requests"
    assert allowed == {
        f"POST {requests}",
        f"GET {requests}",
        f"GET {requests}/{{id}}",
        f"GET {requests}/{{id}}/history",
        "POST /v1/tenants/{tenant}/plans",
    }
