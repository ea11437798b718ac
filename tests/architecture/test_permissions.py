"""Each function may call the actions that it calls, on the resources that it calls them on, and no other."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name

from infra.build.botocore_data import OPERATIONS, OPERATOR_OPERATIONS, SERVICES
from infra.checks.cloudformation import Template, as_list, statements

PROVISIONER = Path(__file__).resolve().parents[2] / "functions" / "provisioner"

LEDGER = {"Fn::GetAtt": ["LedgerTable", "Arn"]}
UNFINISHED = {"Fn::Sub": "${LedgerTable.Arn}/index/unfinished"}
BY_TENANT = {"Fn::Sub": "${LedgerTable.Arn}/index/by_tenant"}
BY_TIME = {"Fn::Sub": "${LedgerTable.Arn}/index/by_time"}
QUEUE = {"Fn::GetAtt": ["ProvisioningQueue", "Arn"]}
DEAD_LETTERS = {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
EVENTS_DEAD_LETTERS = {"Fn::GetAtt": ["EventsDeadLetterQueue", "Arn"]}
OUTCOMES = {"Ref": "OutcomesTopic"}
CREDENTIALS = {
    "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${TenantSecretPrefix}/*"
}
SOURCE_SECRETS = {
    "Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${SourceSecretPrefix}/*"
}


def own_log(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


WORKS_ON_REQUESTS: list[tuple[str, Any]] = [
    ("dynamodb:ConditionCheckItem", LEDGER),
    ("dynamodb:GetItem", LEDGER),
    ("dynamodb:PutItem", LEDGER),
    ("dynamodb:UpdateItem", LEDGER),
    ("secretsmanager:GetSecretValue", CREDENTIALS),
    ("sns:Publish", OUTCOMES),
    ("sqs:SendMessage", QUEUE),
]
HANDLES_DEAD_LETTERS = ("ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage")
EVERY_FUNCTION: list[tuple[str, Any]] = [
    ("xray:PutTelemetryRecords", "*"),
    ("xray:PutTraceSegments", "*"),
]


def logs_to(name: str) -> list[tuple[str, Any]]:
    return [("logs:CreateLogStream", own_log(name)), ("logs:PutLogEvents", own_log(name))]


GRANTED: dict[str, list[tuple[str, Any]]] = {
    "ApiRole": [*WORKS_ON_REQUESTS, *EVERY_FUNCTION, *logs_to("ApiLogs")],
    # Anyone on the internet can call it: it reads no credential for Close and changes no item of the ledger.
    "WebhooksRole": [
        *EVERY_FUNCTION,
        *logs_to("WebhooksLogs"),
        ("dynamodb:GetItem", LEDGER),
        ("dynamodb:PutItem", LEDGER),
        ("secretsmanager:GetSecretValue", SOURCE_SECRETS),
        ("sns:Publish", OUTCOMES),
        ("sqs:SendMessage", QUEUE),
    ],
    "EventsRole": [
        *EVERY_FUNCTION,
        *logs_to("EventsLogs"),
        ("dynamodb:GetItem", LEDGER),
        ("dynamodb:PutItem", LEDGER),
        ("dynamodb:UpdateItem", LEDGER),
        ("sns:Publish", OUTCOMES),
        ("sqs:SendMessage", EVENTS_DEAD_LETTERS),
        ("sqs:SendMessage", QUEUE),
    ],
    "WorkerRole": [
        *WORKS_ON_REQUESTS,
        *EVERY_FUNCTION,
        *logs_to("WorkerLogs"),
        ("sqs:ChangeMessageVisibility", QUEUE),
        ("sqs:DeleteMessage", QUEUE),
        ("sqs:GetQueueAttributes", QUEUE),
        ("sqs:ReceiveMessage", QUEUE),
        ("sqs:SendMessage", DEAD_LETTERS),
    ],
    "SweeperRole": [
        *EVERY_FUNCTION,
        *logs_to("SweeperLogs"),
        ("dynamodb:GetItem", LEDGER),
        ("dynamodb:Query", UNFINISHED),
        ("dynamodb:UpdateItem", LEDGER),
        ("sqs:SendMessage", QUEUE),
    ],
    # People call it, each with permissions for some routes: see OPERATORS.
    "OperatorRole": [
        *WORKS_ON_REQUESTS,
        *EVERY_FUNCTION,
        *logs_to("OperatorLogs"),
        ("dynamodb:DeleteItem", LEDGER),
        ("dynamodb:Query", BY_TENANT),
        ("dynamodb:Query", BY_TIME),
        ("dynamodb:Query", UNFINISHED),
        *((f"sqs:{call}", queue) for call in HANDLES_DEAD_LETTERS for queue in (DEAD_LETTERS, EVENTS_DEAD_LETTERS)),
        *(("sqs:GetQueueAttributes", queue) for queue in (QUEUE, DEAD_LETTERS, EVENTS_DEAD_LETTERS)),
        ("secretsmanager:GetSecretValue", SOURCE_SECRETS),
        ("secretsmanager:ListSecrets", "*"),
    ],
    # Made by SAM for the schedule.
    "SweeperFunctionRegularlyRole": [("lambda:InvokeFunction", {"Ref": "SweeperFunctionAliaslive"})],
    # Takes its permissions from AWS's own policy for this purpose.
    "GatewayLoggingRole": [],
}

WITHOUT_NARROWER_RESOURCE = {
    *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
    *("secretsmanager:ListSecrets", "lambda:ListEventSourceMappings"),
}
"""Actions for which AWS knows no resource but ``*`` (Service Authorization Reference, by service)."""


def granted(role: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for statement in statements(role):
        if statement["Effect"] == "Deny":
            continue
        assert statement["Effect"] == "Allow"
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                yield action, json.dumps(resource, sort_keys=True)


def test_every_role_is_known(template: Template) -> None:
    assert set(template.resources("AWS::IAM::Role")) == set(GRANTED)


@pytest.mark.parametrize("name", GRANTED)
def test_a_role_grants_exactly_the_calls_of_its_function(template: Template, name: str) -> None:
    expected = {(action, json.dumps(resource, sort_keys=True)) for action, resource in GRANTED[name]}
    assert set(granted(template.resources("AWS::IAM::Role")[name])) == expected


def test_hole_10_the_webhooks_function_is_denied_every_credential_wherever_sources_are(template: Template) -> None:
    denied = {
        name: (each["Action"], each["Resource"])
        for name, role in template.resources("AWS::IAM::Role").items()
        for each in statements(role)
        if each["Effect"] == "Deny"
    }
    assert denied == {"WebhooksRole": ("secretsmanager:GetSecretValue", CREDENTIALS)}


def test_a_key_of_ones_own_may_be_used_through_secrets_manager_only(template: Template) -> None:
    key = "arn:aws:kms:eu-central-1:111122223333:key/1"
    roles = Template(template.source, {"TenantSecretKeyArn": key}).resources("AWS::IAM::Role")
    for name in ("ApiRole", "WorkerRole", "OperatorRole"):
        [statement] = [each for each in statements(roles[name]) if "kms:Decrypt" in as_list(each["Action"])]
        assert statement["Resource"] == key
        assert list(statement["Condition"]["StringEquals"]) == ["kms:ViaService"]
    for name in ("SweeperRole", "WebhooksRole", "EventsRole"):
        assert not [each for each in statements(roles[name]) if "kms:Decrypt" in as_list(each["Action"])]


def test_a_key_of_ones_own_for_sources_opens_them_only(template: Template) -> None:
    key = "arn:aws:kms:eu-central-1:111122223333:key/2"
    roles = Template(template.source, {"SourceSecretKeyArn": key}).resources("AWS::IAM::Role")
    decrypting = {
        name: each["Resource"]
        for name, role in roles.items()
        for each in statements(role)
        if "kms:Decrypt" in as_list(each["Action"])
    }
    assert decrypting == {"WebhooksRole": key, "OperatorRole": key}


LEADING_KEYS = {
    "WebhooksRole": {
        "dynamodb:GetItem": {"REQUEST#*", "EVENT#*", "REJECTED#*"},
        "dynamodb:PutItem": {"REQUEST#*", "EVENT#*", "REJECTED#*"},
    },
    "EventsRole": {
        "dynamodb:GetItem": {"REQUEST#*", "EVENT#*", "REJECTED#*", "WAITING#*"},
        "dynamodb:PutItem": {"REQUEST#*", "EVENT#*", "REJECTED#*"},
        "dynamodb:UpdateItem": {"WAITING#*"},
    },
}


@pytest.mark.parametrize("name", LEADING_KEYS)
def test_hole_10_handlers_of_events_touch_only_the_items_that_they_need(template: Template, name: str) -> None:
    allowed: dict[str, set[str]] = {}
    for statement in statements(template.resources("AWS::IAM::Role")[name]):
        for action in as_list(statement["Action"]):
            if action.startswith("dynamodb:"):
                [(operator, keys)] = statement["Condition"].items()
                assert operator == "ForAllValues:StringLike"
                allowed.setdefault(action, set()).update(keys["dynamodb:LeadingKeys"])
    assert allowed == LEADING_KEYS[name]


def test_no_operator_deletes_what_keeps_a_type_from_being_created_twice(template: Template) -> None:
    deleting = {
        name: each["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        for name, role in template.resources("AWS::IAM::Role").items()
        for each in statements(role)
        if "dynamodb:DeleteItem" in as_list(each["Action"])
    }
    assert deleting == {"OperatorRole": ["REQUEST#*", "WAITING#*"]}


def test_no_action_is_a_pattern_and_no_resource_is_everything(template: Template) -> None:
    for name, role in template.resources("AWS::IAM::Role").items():
        for action, resource in granted(role):
            assert "*" not in action, name
            assert json.loads(resource) != "*" or action in WITHOUT_NARROWER_RESOURCE, (name, action)


def test_no_function_takes_one_of_awss_broad_policies(template: Template) -> None:
    roles = template.resources("AWS::IAM::Role")
    assert [name for name, role in roles.items() if role.get("ManagedPolicyArns")] == ["GatewayLoggingRole"]


def test_every_function_has_its_own_role(template: Template) -> None:
    functions = template.resources("AWS::Lambda::Function")
    roles = {name: function["Role"]["Fn::GetAtt"][0] for name, function in functions.items()}
    assert roles == {name: name.replace("Function", "Role") for name in functions}
    assert len(set(roles.values())) == 6


def calls_to_aws() -> set[tuple[str, str]]:
    """Yield (service, method) of each method of a client in the source, called there or passed on.

    Adapters keep a client under its service's name: ``self.sqs``.
    """
    found = set()
    for path in PROVISIONER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Attribute(value=ast.Attribute(attr=service), attr=method) if service in SERVICES:
                    found.add((service, method))
                case ast.Attribute(value=ast.Name(id=service), attr=method) if service in SERVICES:
                    found.add((service, method))
    return found


TRANSACTION = "dynamodb:TransactWriteItems"
"""Not an action of its own: it needs the permissions of the writes in it."""

PUBLISH_BATCH = "sns:PublishBatch"
"""Not one either: ``sns:Publish`` permits it (SNS API Reference, PublishBatch; Service Authorization Reference)."""

OF_TRANSACTIONS = {"dynamodb:ConditionCheckItem", "dynamodb:UpdateItem"}


def operations_called() -> set[str]:
    """Return ``service:Operation`` of each call in the source."""
    called = set()
    for service, method in calls_to_aws():
        client = boto3.client(service, region_name="us-east-1")
        operations = {xform_name(name): name for name in client.meta.service_model.operation_names}
        called.add(f"{service}:{operations[method]}")
    return called


def test_the_artifact_holds_the_models_of_the_called_services() -> None:
    shipped = [*OPERATIONS.items(), *OPERATOR_OPERATIONS.items()]
    assert operations_called() == {f"{service}:{name}" for service, names in shipped for name in names}


def test_every_call_in_the_source_is_granted_and_every_grant_is_called(template: Template) -> None:
    called = operations_called()
    of_our_services = {
        action
        for role in template.resources("AWS::IAM::Role").values()
        for action, _ in granted(role)
        if action.partition(":")[0] in SERVICES
    }
    assert of_our_services == called - {TRANSACTION, PUBLISH_BATCH} | OF_TRANSACTIONS
