"""The judge of the functions' requests to AWS: what it refuses, and what it lets pass."""

import json
from typing import Any

import boto3
import pytest

from infra.checks.deployed import Deployed
from infra.checks.translated import translated
from tests.strict_aws.call import Call, read_call
from tests.strict_aws.emf import emf_faults
from tests.strict_aws.gateway import answer_faults
from tests.strict_aws.iam import NeededPermission, allowing
from tests.strict_aws.limits import limit_faults, size_of
from tests.strict_aws.model_faults import model_faults
from tests.strict_aws.needs import needs

TABLE = "arn:aws:dynamodb:eu-central-1:1:table/ledger"


def statement(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "dynamodb:GetItem", "Resource": TABLE, **more}


@pytest.mark.parametrize(
    ("statements", "asked", "allowed"),
    [
        ([statement()], NeededPermission("dynamodb:GetItem", TABLE), True),
        ([statement()], NeededPermission("DynamoDB:getitem", TABLE), True),
        ([statement()], NeededPermission("dynamodb:PutItem", TABLE), False),
        ([statement()], NeededPermission("dynamodb:GetItem", f"{TABLE}/index/one"), False),
        ([statement(Action="dynamodb:*Item")], NeededPermission("dynamodb:GetItem", TABLE), True),
        ([statement(Resource=f"{TABLE}?*")], NeededPermission("dynamodb:GetItem", TABLE), False),
        ([statement(), statement("Deny")], NeededPermission("dynamodb:GetItem", TABLE), False),
        ([], NeededPermission("dynamodb:GetItem", TABLE), False),
    ],
)
def test_actions_and_resources(statements: list[dict[str, Any]], asked: NeededPermission, allowed: bool) -> None:
    assert bool(allowing(statements, asked)) is allowed


@pytest.mark.parametrize(
    ("condition", "keys", "allowed"),
    [
        (
            {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["EVENT#*", "REQUEST#*"]}},
            ["EVENT#1", "REQUEST#1"],
            True,
        ),
        ({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["EVENT#*"]}}, ["EVENT#1", "TYPE#1"], False),
        ({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["EVENT#*"]}}, None, True),
        ({"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["EVENT#*"]}}, ["EVENT#1", "TYPE#1"], True),
        ({"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["EVENT#*"]}}, None, False),
        ({"StringEquals": {"dynamodb:LeadingKeys": "EVENT#1"}}, ["EVENT#1"], True),
        ({"StringNotEquals": {"dynamodb:LeadingKeys": ["EVENT#1", "EVENT#2"]}}, ["EVENT#2"], False),
        ({"StringEqualsIfExists": {"dynamodb:LeadingKeys": "EVENT#1"}}, None, True),
        ({"Null": {"dynamodb:LeadingKeys": "true"}}, ["EVENT#1"], False),
    ],
)
def test_conditions(condition: dict[str, Any], keys: list[str] | None, allowed: bool) -> None:
    asked = NeededPermission("dynamodb:GetItem", TABLE, {"dynamodb:LeadingKeys": keys} if keys else {})
    assert bool(allowing([statement(Condition=condition)], asked)) is allowed


def test_what_is_not_evaluated_is_never_passed_over() -> None:
    asked = NeededPermission("dynamodb:GetItem", TABLE, {"aws:CurrentTime": ["2026-11-27T00:00:00Z"]})
    with pytest.raises(NotImplementedError, match="DateGreaterThan"):
        allowing([statement(Condition={"DateGreaterThan": {"aws:CurrentTime": "2026-01-01"}})], asked)
    with pytest.raises(NotImplementedError, match="NotAction"):
        allowing([statement(NotAction="s3:*")], asked)
    with pytest.raises(NotImplementedError, match="s3:PutObject"):
        [*needs(Call("s3", "PutObject", {}), Deployed(translated()))]


def test_each_part_of_a_transaction_needs_its_own_permission() -> None:
    key = {"pk": {"S": "TYPE#1"}}
    writes = [
        {"Put": {"TableName": "ledger", "Item": {"pk": {"S": "REQUEST#1"}}}},
        {"ConditionCheck": {"TableName": "ledger", "Key": key, "ConditionExpression": "attribute_exists(pk)"}},
    ]
    deployed = Deployed(translated(), account="1", region="eu-central-1")
    asked = [*needs(Call("dynamodb", "TransactWriteItems", {"TransactItems": writes}), deployed)]
    assert [(str(each), each.context["dynamodb:LeadingKeys"]) for each in asked] == [
        (f"dynamodb:PutItem on {TABLE}", ["REQUEST#1"]),
        (f"dynamodb:ConditionCheckItem on {TABLE}", ["TYPE#1"]),
    ]


def test_a_query_of_an_index_needs_the_index_and_the_partition_that_it_reads() -> None:
    parameters = {
        "TableName": "ledger",
        "IndexName": "unfinished",
        "KeyConditionExpression": "unfinished = :kind AND due_at <= :now",
        "ExpressionAttributeValues": {":kind": {"S": "request"}, ":now": {"N": "1"}},
    }
    deployed = Deployed(translated(), account="1", region="eu-central-1")
    [asked] = needs(Call("dynamodb", "Query", parameters), deployed)
    assert (asked.resource, asked.context) == (f"{TABLE}/index/unfinished", {"dynamodb:LeadingKeys": ["request"]})


def test_a_key_of_ones_own_needs_a_permission_of_its_own() -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/1"
    deployed = Deployed(translated(f"TenantSecretKeyArn={key}"))
    [_, decrypt] = needs(
        Call("secretsmanager", "GetSecretValue", {"SecretId": "close-provisioner/tenants/a"}), deployed
    )
    assert decrypt == NeededPermission(
        "kms:Decrypt", key, {"kms:ViaService": ["secretsmanager.us-east-1.amazonaws.com"]}
    )


def test_a_request_is_read_from_its_bytes() -> None:
    """As botocore writes it: JSON for some services, a form for SNS."""
    attributes = {"tenant": {"DataType": "String", "StringValue": "acme & söns"}}
    entry = {"Message": "{}", "MessageAttributes": attributes}
    batch = [{"Id": "0", **entry}, {"Id": "1", "Message": "{}"}]
    given: list[tuple[str, str, dict[str, Any]]] = [
        ("sns", "Publish", {**NOTIFICATION, **entry}),
        ("sns", "PublishBatch", {**NOTIFICATION, "PublishBatchRequestEntries": batch}),
        ("sqs", "SendMessage", {"QueueUrl": "https://q", "MessageBody": "{}", "DelaySeconds": 3}),
    ]
    for service, operation, parameters in given:
        sent: list[Call] = []
        client = boto3.client(service, region_name="us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="s")

        def note(request: Any, sent: list[Call] = sent, **_: Any) -> None:
            headers = {name.lower(): _text(value) for name, value in request.headers.items()}
            sent.append(read_call(headers, request.body.encode() if isinstance(request.body, str) else request.body))
            raise ConnectionAbortedError

        client.meta.events.register("before-send.*", note)
        with pytest.raises(ConnectionAbortedError):
            client._make_api_call(operation, parameters)
        assert sent == [Call(service, operation, parameters, "AKIA")]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({"QueueUrl": "https://q"}, "Missing required parameter"),
        ({"QueueUrl": "https://q", "MessageBody": "{}", "Color": "blue"}, "Unknown parameter"),
        ({"QueueUrl": "https://q", "MessageBody": "{}", "DelaySeconds": "3"}, "Invalid type"),
    ],
)
def test_a_malformed_request_is_refused(parameters: dict[str, Any], fault: str) -> None:
    assert any(fault in each for each in model_faults(Call("sqs", "SendMessage", parameters)))


def message(body: str = "{}", **more: Any) -> Call:
    return Call("sqs", "SendMessage", {"QueueUrl": "https://q", "MessageBody": body, **more})


def attributes(value: str) -> dict[str, Any]:
    return {"MessageAttributes": {"a": {"DataType": "String", "StringValue": value}}}


def put(**item: Any) -> Call:
    return Call("dynamodb", "PutItem", {"TableName": "ledger", "Item": {"pk": {"S": "REQUEST#1"}, **item}})


def transaction(number: int, size: int = 1) -> Call:
    writes = [{"Put": {"TableName": "l", "Item": {"pk": {"S": f"{n}"}, "b": {"S": "x" * size}}}} for n in range(number)]
    return Call("dynamodb", "TransactWriteItems", {"TransactItems": writes})


NOTIFICATION = {"TopicArn": "arn:aws:sns:us-east-1:1:t"}


def batch(number: int, size: int = 1, **of_each: Any) -> Call:
    entries = [{"Id": f"{each}", "Message": "x" * size, **of_each} for each in range(number)]
    return Call("sns", "PublishBatch", {**NOTIFICATION, "PublishBatchRequestEntries": entries})


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        (message("x" * 1_048_576), message("x" * 1_048_577)),
        (message("x" * (1_048_576 - 8), **attributes("y")), message("x" * (1_048_576 - 7), **attributes("y"))),
        (message("\u00e9 \U0001f600\t"), message("\x00")),
        (message("\ufffd"), message("\ufffe")),
        (message(**attributes("y")), message(**attributes(""))),
        (message(DelaySeconds=900), message(DelaySeconds=901)),
        (message(MessageGroupId="acme"), message(MessageGroupId="a b")),
        (
            Call("sns", "Publish", {**NOTIFICATION, "Message": "x" * 262_144}),
            Call("sns", "Publish", {**NOTIFICATION, "Message": "x" * 262_144, **attributes("y")}),
        ),
        (batch(10), batch(11)),
        (batch(1), batch(0)),
        (batch(2), batch(2, Id="same")),
        (batch(1, Id="a_1-"), batch(1, Id="a b")),
        (batch(4, 65_536), batch(4, 65_536, **attributes("y"))),
        (put(body={"S": "x" * (409_600 - 15)}), put(body={"S": "x" * (409_600 - 14)})),
        (put(n={"N": "1" * 38}), put(n={"N": "1" * 39})),
        (put(s={"SS": ["a", "b"]}), put(s={"SS": []})),
        (transaction(100), transaction(101)),
        (transaction(10, 400_000), transaction(11, 400_000)),
    ],
)
def test_limits(within: Call, beyond: Call) -> None:
    assert [*limit_faults(within)] == []
    assert [*limit_faults(beyond)]


def test_the_size_of_an_item_counts_names_and_values() -> None:
    assert size_of({"pk": {"S": "é"}, "n": {"N": "123"}, "l": {"L": [{"S": "ab"}]}}) == (2 + 2) + (1 + 3) + (1 + 3 + 3)


def test_an_answer_that_api_gateway_would_change_is_refused() -> None:
    answer = {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps({})}
    assert [*answer_faults(answer)] == []
    for change in (
        {"headers": {"WWW-Authenticate": "x"}},
        {"headers": {"X": "a\nb"}},
        {"headers": {"X": "a" * 10_241}},
        {"statusCode": "200"},
        {"body": None},
        {"body": "x" * 6_291_457},
    ):
        assert [*answer_faults({**answer, **change})], change


def metrics_line(**changes: Any) -> str:
    directive = {
        "Namespace": "CloseProvisioner",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Created", "Unit": "Count"}],
        **{name: changes.pop(name) for name in ("Namespace", "Dimensions", "Metrics") if name in changes},
    }
    about = {"Timestamp": 1_795_785_074_259, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, "service": "stack", "Created": [1.0], **changes})


def test_a_line_of_metrics_that_cloudwatch_takes() -> None:
    assert [*emf_faults(metrics_line())] == []
    assert [*emf_faults(metrics_line(Dimensions=[["source", "service"]], source="stripe"))] == []
    assert [*emf_faults('{"message": "settled"}')] == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"service": ""}, "the dimension service is ''"),
        ({"service": 7}, "the dimension service is 7"),
        ({"Dimensions": [["service", "tenant"]], "tenant": "acme"}, "the dimensions are"),
        ({"Dimensions": [["service", "source"]]}, "the dimension source is None"),
        ({"Created": "1"}, "the metric Created is '1'"),
        ({"Created": True}, "the metric Created is True"),
        ({"Created": [1.0] * 101}, "the metric Created has 101 values"),
        ({"Created": []}, "the metric Created has 0 values"),
        ({"Metrics": []}, "0 metrics are in one line"),
        ({"Metrics": [{"Name": f"M{n}", "Unit": "Count"} for n in range(101)]}, "101 metrics are in one line"),
        ({"Metrics": [{"Name": "Created", "Unit": "Pieces"}]}, "the metric Created is in 'Pieces'"),
        ({"Namespace": ""}, "the namespace is ''"),
        ({"_aws": {"Timestamp": 1_795_785_074, "CloudWatchMetrics": []}}, "the timestamp is not in milliseconds"),
        ({"_aws": {"Timestamp": 1_795_785_074_259}}, "the line describes no metric"),
    ],
)
def test_a_line_whose_metrics_would_be_lost(changes: dict[str, Any], fault: str) -> None:
    assert any(each.startswith(fault) for each in emf_faults(metrics_line(**changes)))


def test_half_a_line_has_no_metrics() -> None:
    assert [*emf_faults(metrics_line()[:-9])] == ["the line is not JSON"]
