"""The template as a whole: encryption, logs for a limited time, signed calls, tracing, one build."""

import json
import re
from typing import Any

import pytest
import yaml

from infra.checks.cloudformation import Template
from provisioner.credentials.cloudtrail import SECRET_WRITE_EVENTS
from provisioner.handlers.operator import ROUTES
from provisioner.ingest.sources import Sources
from provisioner.ledger.expressions import mark_published_input, postpone_input
from provisioner.ledger.models import RequestRecord, RequestState
from provisioner.settings import MIN_LIST_LAG_SECONDS
from tests.architecture.cloudformation_source import read_source
from tests.architecture.conftest import PROJECT


def operations(template: Template) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the OpenAPI operation of each route, by method and path."""
    return {
        (method, path): operation
        for path, methods in template.properties("Api")["Body"]["paths"].items()
        for method, operation in methods.items()
    }


OPERATOR_ROUTES = {(method.lower(), path) for method, path in ROUTES}


def test_requests_are_signed_for(template: Template) -> None:
    routes = operations(template)
    webhooks = routes.pop(("post", "/v1/webhooks/{source}"))
    assert set(routes) == {
        ("post", "/v1/provisioning-requests"),
        ("get", "/v1/provisioning-requests/{id}"),
        ("post", "/v1/plans"),
        ("post", "/v1/tenants/{tenant}/provisioning-requests"),
        ("get", "/v1/tenants/{tenant}/provisioning-requests/{id}"),
        ("post", "/v1/tenants/{tenant}/plans"),
        *OPERATOR_ROUTES,
    }
    assert all(operation["security"] == [{"AWS_IAM": []}] for operation in routes.values())
    assert webhooks["security"] == [{"NONE": []}], "senders sign their own way, which the function checks"


def test_without_the_operators_routes_there_is_nothing_of_them(template: Template) -> None:
    off = Template(template.source, {"OperatorApi": "off"})
    assert set(operations(template)) - set(operations(off)) == OPERATOR_ROUTES
    for kind in ("Lambda::Function", "Lambda::Alias", "Lambda::Permission", "IAM::Role", "Logs::LogGroup"):
        left_out = template.resources(f"AWS::{kind}").keys() - off.resources(f"AWS::{kind}").keys()
        assert left_out, kind
        assert all(name.startswith("Operator") for name in left_out)
    assert off.properties("Monitoring")["Parameters"]["OperatorFunctionName"] == ""


def test_each_route_calls_its_function(template: Template) -> None:
    for (method, path), operation in operations(template).items():
        uri = str(operation["x-amazon-apigateway-integration"]["uri"])
        assert ("OperatorFunction" in uri) is ((method, path) in OPERATOR_ROUTES), path


def test_callers_need_no_permission_to_invoke_the_function(template: Template) -> None:
    for operation in operations(template).values():
        assert "credentials" not in operation["x-amazon-apigateway-integration"]


def test_bodies_arrive_byte_for_byte(template: Template) -> None:
    assert template.properties("Api")["BinaryMediaTypes"] == ["*/*"]


def test_the_stage_logs_throttles_and_traces(template: Template) -> None:
    stage = template.properties("ApiliveStage")
    assert stage["TracingEnabled"] is True
    # The format is JSON by itself, before anything is filled in.
    assert isinstance(yaml.safe_load(stage["AccessLogSetting"]["Format"]), dict)
    settings = {(each["HttpMethod"], each["ResourcePath"]): each for each in stage["MethodSettings"]}
    assert set(settings) == {("*", "/*"), ("POST", "/~1v1~1webhooks~1{source}")}
    for each in settings.values():
        assert each["ThrottlingRateLimit"] > 0
        assert each["ThrottlingBurstLimit"] > 0
        assert each["MetricsEnabled"] is True
        assert each["DataTraceEnabled"] is False


def test_unsigned_calls_leave_a_share_of_the_rate_limit_to_signed_ones(template: Template) -> None:
    """The route without authentication has a rate limit of its own."""
    given = Template(template.source, {"WebhooksPerSecond": 7, "WebhooksBurst": 8})
    [public] = [each for each in given.properties("ApiliveStage")["MethodSettings"] if each["HttpMethod"] == "POST"]
    [signed] = [each for each in given.properties("ApiliveStage")["MethodSettings"] if each["HttpMethod"] == "*"]
    assert (public["ThrottlingRateLimit"], public["ThrottlingBurstLimit"]) == (7, 8)
    assert (signed["ThrottlingRateLimit"], signed["ThrottlingBurstLimit"]) == (20, 40)


def test_a_web_acl_protects_the_http_api_where_one_is_given(template: Template) -> None:
    assert template.resources("AWS::WAFv2::WebACLAssociation") == {}
    arn = "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/mine/1"
    [association] = Template(template.source, {"WebAclArn": arn}).resources("AWS::WAFv2::WebACLAssociation").values()
    assert association["WebACLArn"] == arn
    assert association["ResourceArn"]["Fn::Sub"].endswith("/restapis/${Api}/stages/${ApiliveStage}")


def test_hole_9_a_web_acl_with_a_rate_by_ip_can_be_created(template: Template) -> None:
    assert template.resources("AWS::WAFv2::WebACL") == {}
    given = Template(template.source, {"WebAcl": "on", "RequestsPerIp": 500})
    [acl] = given.resources("AWS::WAFv2::WebACL").values()
    [rule] = acl["Rules"]
    assert (acl["Scope"], acl["DefaultAction"], rule["Action"]) == ("REGIONAL", {"Allow": {}}, {"Block": {}})
    rate = {"AggregateKeyType": "IP", "EvaluationWindowSec": 300, "Limit": 500}
    assert rule["Statement"] == {"RateBasedStatement": rate}
    [association] = given.resources("AWS::WAFv2::WebACLAssociation").values()
    assert association["WebACLArn"] == {"Fn::GetAtt": ["ApiWebAcl", "Arn"]}


def test_hole_10_rules_refuse_values_that_break_a_guarantee(template: Template) -> None:
    rules = template.source["Rules"]
    lag = rules["ListLagIsLongEnough"]
    [refused] = lag["Assertions"]
    small = refused["Assert"]["Fn::Not"][0]["Fn::Contains"]
    assert small == [[str(seconds) for seconds in range(MIN_LIST_LAG_SECONDS)], {"Ref": "ListLagSeconds"}]
    assert lag["RuleCondition"] == {"Fn::Equals": [{"Ref": "TlsOnly"}, "on"]}
    [apart] = rules["SecretsAreApart"]["Assertions"]
    prefixes = [{"Ref": "TenantSecretPrefix"}, {"Ref": "SourceSecretPrefix"}]
    assert apart["Assert"] == {"Fn::Not": [{"Fn::Equals": prefixes}]}
    assert template.parameter("TlsOnly") == "on"


def test_everything_at_rest_is_encrypted(template: Template) -> None:
    assert all(queue["SqsManagedSseEnabled"] is True for queue in template.resources("AWS::SQS::Queue").values())
    assert all(topic["KmsMasterKeyId"] for topic in template.resources("AWS::SNS::Topic").values())
    tables = template.resources("AWS::DynamoDB::Table").values()
    assert all(table["SSESpecification"]["SSEEnabled"] is True for table in tables)


@pytest.mark.parametrize(
    ("policies", "resources"),
    [("AWS::SQS::QueuePolicy", "AWS::SQS::Queue"), ("AWS::SNS::TopicPolicy", "AWS::SNS::Topic")],
)
def test_everything_on_the_way_is_encrypted(template: Template, policies: str, resources: str) -> None:
    refused = set()
    for policy in template.resources(policies).values():
        denials = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
        assert [each["Condition"] for each in denials] == [{"Bool": {"aws:SecureTransport": "false"}}]
        refused |= {target["Ref"] for target in policy.get("Queues", []) + policy.get("Topics", [])}
    assert refused == set(template.resources(resources))


def test_logs_are_kept_for_a_while_and_each_function_has_its_own(template: Template) -> None:
    groups = template.resources("AWS::Logs::LogGroup")
    assert all(group["RetentionInDays"] == 30 for group in groups.values())
    for name, function in template.resources("AWS::Lambda::Function").items():
        logging = function["LoggingConfig"]
        assert logging["LogFormat"] == "JSON"
        assert logging["LogGroup"] == {"Ref": name.replace("Function", "Logs")}
        assert logging["LogGroup"]["Ref"] in groups


def test_no_log_level_can_be_set_that_would_drop_metrics(template: Template) -> None:
    """Lambda's own level overrides Powertools', and a line without a level (a metric) counts as INFO."""
    for level in template.source["Parameters"]["LogLevel"]["AllowedValues"]:
        assert level in {"DEBUG", "INFO"}
        for function in Template(template.source, {"LogLevel": level}).resources("AWS::Lambda::Function").values():
            assert function["LoggingConfig"]["ApplicationLogLevel"] == level
            assert function["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == level


def test_functions_are_traced_and_published_under_one_name(template: Template) -> None:
    functions = template.resources("AWS::Lambda::Function")
    assert all(function["TracingConfig"] == {"Mode": "Active"} for function in functions.values())
    assert all(function["Runtime"] == "python3.13" for function in functions.values())
    aliases = template.resources("AWS::Lambda::Alias").values()
    assert {alias["FunctionName"]["Ref"] for alias in aliases} == set(functions)
    assert {alias["Name"] for alias in aliases} == {"live"}


def test_the_ledger_can_be_recovered_and_not_deleted_by_mistake(template: Template) -> None:
    table = template.properties("LedgerTable")
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    thrown_away = Template(template.source, {"Protection": "off"})
    assert thrown_away.properties("LedgerTable")["DeletionProtectionEnabled"] is False


def test_a_list_costs_a_request_no_write_when_its_outcome_is_announced(template: Template) -> None:
    """Nor does the sweeper's postponement: neither changes what the lists hold."""
    record = RequestRecord("0" * 32, "acme", "r", RequestState.SETTLED, 1.0, "{}")
    updates = [mark_published_input("t", record), postpone_input("t", record.id, 1.0)]
    indexes = {each["IndexName"]: each for each in template.properties("LedgerTable")["GlobalSecondaryIndexes"]}
    for name in ("by_tenant", "by_time"):
        held = {
            *indexes[name]["Projection"]["NonKeyAttributes"],
            *(key["AttributeName"] for key in indexes[name]["KeySchema"]),
        }
        for update in updates:
            assert not [each for each in held if re.search(rf"\b{each}\b", update["UpdateExpression"])]


def test_only_the_provisioning_queue_has_dead_letters(template: Template) -> None:
    queue, dead = template.properties("ProvisioningQueue"), template.properties("DeadLetterQueue")
    [source] = dead["RedriveAllowPolicy"]["sourceQueueArns"]
    name: str = queue["QueueName"]["Fn::Sub"]
    assert source["Fn::Sub"].endswith(f":{name}")
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_only_rules_of_the_account_may_send_to_a_queue_from_outside(template: Template) -> None:
    allowed = {
        (policy["Queues"][0]["Ref"], json.dumps(statement["Principal"]), *statement["Condition"])
        for policy in template.resources("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    }
    principal = json.dumps({"Service": "events.amazonaws.com"})
    assert allowed == {("EventsDeadLetterQueue", principal, "StringEquals", "ArnLike")}


def test_every_event_ends_in_the_queue_or_is_dead_lettered(template: Template) -> None:
    buses = {
        "StripeEventBusName": "aws.partner/stripe.com/ed_1",
        "Auth0EventBusName": "aws.partner/auth0.com/tenant-1/events",
    }
    assert len(template.resources("AWS::Events::Rule")) == 2
    given = Template(template.source, buses)
    rules = given.resources("AWS::Events::Rule")
    secrets = rules["EventsFunctionSecretStored"]["EventPattern"]
    assert set(secrets["detail"]["eventName"]) == SECRET_WRITE_EVENTS
    assert {json.dumps(rule["EventPattern"], sort_keys=True) for rule in rules.values()} - {
        json.dumps(secrets, sort_keys=True)
    } == {
        '{"account": [{"Ref": "AWS::AccountId"}], "detail-type": ["Provisioning Requested"]}',
        '{"source": [{"prefix": "aws.partner/stripe.com/"}]}',
        '{"source": [{"prefix": "aws.partner/auth0.com/"}]}',
    }
    assert {rule.get("EventBusName", "default") for rule in rules.values()} == {"default", *buses.values()}
    dead_letters = {"Fn::GetAtt": ["EventsDeadLetterQueue", "Arn"]}
    for rule in rules.values():
        [target] = rule["Targets"]
        assert target["Arn"] == {"Ref": "EventsFunctionAliaslive"}
        assert target["DeadLetterConfig"] == {"Arn": dead_letters}
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 86_400
    [invoking] = given.resources("AWS::Lambda::EventInvokeConfig").values()
    assert invoking["DestinationConfig"] == {"OnFailure": {"Destination": dead_letters}}
    permitted = [each["SourceArn"] for each in given.resources("AWS::Lambda::Permission").values()]
    assert [rule for rule in rules if {"Fn::GetAtt": [rule, "Arn"]} not in permitted] == []


def test_a_stack_without_a_bus_takes_no_requests_from_one(template: Template) -> None:
    """Two stacks on one bus would both process an event, each with a ledger of its own."""

    def rule(given: dict[str, str]) -> dict[str, Any]:
        return Template(template.source, given).resources("AWS::Events::Rule")["EventsFunctionRequested"]

    assert rule({})["State"] == "DISABLED", "hole 8: without a bus unless one is named"
    signups = rule({"EventBusName": "signups"})
    assert (signups["EventBusName"], signups["State"]) == ("signups", "ENABLED")


def test_hole_8_a_rule_takes_events_of_this_account_and_of_the_given_source_only(template: Template) -> None:
    def pattern(given: dict[str, str]) -> dict[str, Any]:
        rules = Template(template.source, given).resources("AWS::Events::Rule")
        assert rules["EventsFunctionSecretStored"]["EventPattern"]["account"] == [{"Ref": "AWS::AccountId"}]
        found: dict[str, Any] = rules["EventsFunctionRequested"]["EventPattern"]
        return found

    anything = {"account": [{"Ref": "AWS::AccountId"}], "detail-type": ["Provisioning Requested"]}
    assert pattern({"EventBusName": "signups"}) == anything
    given = {"EventBusName": "signups", "EventBusSource": "my.app"}
    assert pattern(given) == anything | {"source": ["my.app"]}


def test_a_partners_rule_matches_what_its_source_takes(template: Template) -> None:
    sources = Sources()
    partners = {source.partner for name in sources.names() if (source := sources.find(name)) and source.partner}
    patterns = [
        each["Properties"]["EventPattern"]
        for each in template.source["Resources"].values()
        if each["Type"] == "AWS::Events::Rule"
    ]
    prefixes = [each["prefix"] for pattern in patterns for each in pattern.get("source", []) if isinstance(each, dict)]
    assert set(prefixes) == partners


def test_nothing_has_a_name_that_two_stacks_of_an_account_would_share(template: Template) -> None:
    """Given names contain the stack's name; CloudFormation generates the others."""
    for resource in template.source["Resources"].values():
        for key in ("Name", "FunctionName", "QueueName", "TableName", "TopicName", "RoleName", "LogGroupName"):
            name = resource.get("Properties", {}).get(key)
            assert not isinstance(name, str) or resource["Type"] == "AWS::Lambda::Alias", (resource["Type"], name)


def test_every_function_is_built_for_the_architecture_it_runs_on() -> None:
    source = read_source(PROJECT / "template.yaml")
    for name in ("ApiFunction", "WebhooksFunction", "EventsFunction", "WorkerFunction", "SweeperFunction"):
        metadata = source["Resources"][name]["Metadata"]
        assert metadata == {"BuildMethod": "makefile", "ContextPath": "infra/build/${Architecture}"}
    for architecture in source["Parameters"]["Architecture"]["AllowedValues"]:
        makefile = (PROJECT / "infra" / "build" / architecture / "Makefile").read_text()
        assert makefile.startswith(f"ARCHITECTURE := {architecture}\n")
