"""Each fault that AWS would punish and no linter finds is found when it is put back into the translated template."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from infra.checks.aws import alarms, api_gateway, functions, leftovers
from infra.checks.aws.stack import Rule, Stack
from infra.checks.aws_rules import RULES, faults, monitoring
from infra.checks.cloudformation import Template
from infra.checks.translated import translated

type Resources = dict[str, Any]
type Mutation = Callable[[Resources], object]


@pytest.fixture(scope="session")
def stack(template: Template) -> Stack:
    return Stack(template, monitoring())


def test_no_rule_finds_a_fault(stack: Stack) -> None:
    assert faults(stack) == []


def properties(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


def answers(resources: Resources) -> dict[str, Any]:
    found: dict[str, Any] = properties(resources, "Api")["Body"]["x-amazon-apigateway-gateway-responses"]
    return found


def first_version(resources: Resources) -> dict[str, Any]:
    return next(each["Properties"] for each in resources.values() if each["Type"] == "AWS::Lambda::Version")


def edit_description(resources: Resources, edit: Callable[[str], str]) -> None:
    text, _ = substitution = first_version(resources)["Description"]["Fn::Sub"]
    substitution[0] = edit(text)
    assert substitution[0] != text


def query_of(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = properties(resources, name)["Metrics"][0]
    return found


MUTATIONS: dict[str, tuple[Rule, Mutation]] = {
    "1 a wait counts as a loop": (
        functions.loops_are_allowed_where_they_are_meant,
        lambda found: properties(found, "WorkerFunction").pop("RecursiveLoop"),
    ),
    "1 a function without a loop loses its protection": (
        functions.loops_are_allowed_where_they_are_meant,
        lambda found: properties(found, "SweeperFunction").update(RecursiveLoop="Allow"),
    ),
    "2 a changed parameter does not reach the alias": (
        functions.a_changed_parameter_makes_a_new_version,
        lambda found: first_version(found).pop("Description"),
    ),
    "2 one parameter does not reach the alias": (
        functions.a_changed_parameter_makes_a_new_version,
        lambda found: edit_description(found, lambda text: text.replace(" ${LogLevel}", "")),
    ),
    "2 a version's description is too long": (
        functions.a_changed_parameter_makes_a_new_version,
        lambda found: edit_description(found, lambda text: text + "x" * 100),
    ),
    "3 the account's setting comes before any API": (
        api_gateway.the_accounts_setting_waits_for_an_api,
        lambda found: found["GatewayAccount"].pop("DependsOn"),
    ),
    "3 the stage does not wait for the account's setting": (
        api_gateway.the_accounts_setting_waits_for_an_api,
        lambda found: properties(found, "AccessLogs").pop("Tags"),
    ),
    "3 the account's setting waits for the stage": (
        api_gateway.the_accounts_setting_waits_for_an_api,
        lambda found: found["GatewayAccount"].update(DependsOn="ApiliveStage"),
    ),
    "4 the slash is not a slash": (
        api_gateway.bodies_arrive_byte_for_byte,
        lambda found: properties(found, "Api").update(BinaryMediaTypes=["*~1*"]),
    ),
    "4 bodies are taken for text": (
        api_gateway.bodies_arrive_byte_for_byte,
        lambda found: (
            properties(found, "Api").pop("BinaryMediaTypes"),
            properties(found, "Api")["Body"].pop("x-amazon-apigateway-binary-media-types"),
        ),
    ),
    "6 a throttled caller gets no problem": (
        api_gateway.the_gateways_own_answers_are_problems,
        lambda found: answers(found).pop("THROTTLED"),
    ),
    "6 a throttled caller is not told when to try again": (
        api_gateway.the_gateways_own_answers_are_problems,
        lambda found: answers(found)["THROTTLED"]["responseParameters"].pop("gatewayresponse.header.Retry-After"),
    ),
    "6 a problem is sent as plain JSON": (
        api_gateway.the_gateways_own_answers_are_problems,
        lambda found: answers(found)["DEFAULT_4XX"].pop("responseParameters"),
    ),
    "7 TLS 1.0 is accepted": (
        api_gateway.old_tls_is_refused,
        lambda found: properties(found, "Api").pop("SecurityPolicy"),
    ),
    "7 another name in the handshake is accepted": (
        api_gateway.old_tls_is_refused,
        lambda found: properties(found, "Api").update(EndpointAccessMode="BASIC"),
    ),
    "8 a role's policies are too large": (
        leftovers.policies_are_small_enough,
        lambda found: properties(found, "WorkerRole")["Policies"].extend(properties(found, "ApiRole")["Policies"] * 20),
    ),
    "12 a log group outlives its stack": (
        leftovers.a_deleted_stack_leaves_no_name_behind,
        lambda found: found["WorkerLogs"].update(DeletionPolicy="Retain"),
    ),
    "12 a throwaway stack cannot be deleted": (
        leftovers.a_deleted_stack_leaves_no_name_behind,
        lambda found: properties(found, "LedgerTable").update(DeletionProtectionEnabled=True),
    ),
    "12 a name is too long": (
        leftovers.names_are_short_enough,
        lambda found: properties(found, "ProvisioningQueue")["QueueName"].update(
            {"Fn::Sub": "${AWS::StackName}-of-provisioning-requests-in-this-account"}
        ),
    ),
}

OF_ALARMS: dict[str, tuple[Rule, Mutation]] = {
    "9 a reserved word is not quoted": (
        alarms.queries_follow_the_grammar,
        lambda found: query_of(found, "InvalidSignature").update(
            Expression='SELECT SUM(InvalidSignature) FROM SCHEMA("CloseProvisioner", "service", source) GROUP BY source'
        ),
    ),
    "9 a query groups by what it does not select": (
        alarms.queries_follow_the_grammar,
        lambda found: query_of(found, "EventsRejected").update(
            Expression='SELECT SUM(EventsRejected) FROM SCHEMA("CloseProvisioner", "service") GROUP BY "source"'
        ),
    ),
    "9 a query looks too far back": (
        alarms.queries_follow_the_grammar,
        lambda found: query_of(found, "UnusableSecret").update(Period=14_400),
    ),
    "9 missing data is left to chance": (
        alarms.every_alarm_says_what_missing_data_means,
        lambda found: properties(found, "Throttled").pop("TreatMissingData"),
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_fault_that_is_put_back_is_found(stack: Stack, name: str) -> None:
    rule, mutate = MUTATIONS[name]
    source = copy.deepcopy(dict(stack.template.source))
    mutate(source["Resources"])
    assert [*rule(Stack(Template(source), stack.monitoring))]


@pytest.mark.parametrize("name", OF_ALARMS)
def test_a_fault_of_an_alarm_that_is_put_back_is_found(stack: Stack, name: str) -> None:
    rule, mutate = OF_ALARMS[name]
    changed = copy.deepcopy(dict(stack.monitoring))
    mutate(changed["Resources"])
    assert [*rule(Stack(stack.template, changed))]


def test_each_rule_finds_a_fault_and_names_its_source() -> None:
    assert {rule for rule, _ in [*MUTATIONS.values(), *OF_ALARMS.values()]} == set(RULES)
    assert [rule for rule in RULES if len(rule.__doc__ or "") < 40] == []


def test_two_translations_with_another_parameter_differ_in_their_versions() -> None:
    """SAM itself, as AWS runs it, with both values: the version keeps its name, so its description must differ."""
    info, debug = (
        Stack(translated(f"LogLevel={level}"), {}).deployed.resources("AWS::Lambda::Version")
        for level in ("INFO", "DEBUG")
    )
    assert set(info) == set(debug), "SAM names a version after the text of the template"
    assert len(info) >= 5
    assert [name for name in info if info[name]["Description"] == debug[name]["Description"]] == []
