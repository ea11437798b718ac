"""Rules for the HTTP API: the order of its resources, what it accepts, and what it answers by itself."""

import json
import re
from collections.abc import Iterator
from typing import Any

from infra.checks.aws.stack import Stack, dependencies, reachable

ANSWERED = ("DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "REQUEST_TOO_LARGE", "INTEGRATION_TIMEOUT")
TEMPORARY = {"DEFAULT_5XX", "THROTTLED", "INTEGRATION_TIMEOUT"}
VARIABLES = {"$context.error.messageString": '"text"', "$context.error.responseType": "text"}


def the_accounts_setting_waits_for_an_api(stack: Stack) -> Iterator[str]:
    """AWS::ApiGateway::Account: "If an API Gateway resource has never been created in your AWS account, you must add a
    dependency on another API Gateway resource, such as an AWS::ApiGateway::RestApi".

    The stage logs with the role of that setting, so it must come after it. No circle may result.
    """
    graph = dependencies(stack)
    for name in graph:
        if name in reachable(graph, name):
            yield f"{name} depends on itself"
    for account in stack.raw("AWS::ApiGateway::Account"):
        before = reachable(graph, account)
        if not before & set(stack.raw("AWS::ApiGateway::RestApi")):
            yield f"{account} may be made before any API exists: it needs DependsOn: Api"
        for stage in stack.raw("AWS::ApiGateway::Stage"):
            if account not in reachable(graph, stage):
                yield f"{stage} may be made before {account}, whose role it logs with"


def bodies_arrive_byte_for_byte(stack: Stack) -> Iterator[str]:
    """API Gateway Developer Guide, "Working with binary media types": ``*/*`` treats every body as binary.

    SAM writes ``~1`` for a slash in some places; what reaches API Gateway must be a slash.
    """
    for name, api in stack.template.resources("AWS::ApiGateway::RestApi").items():
        given = [api.get("BinaryMediaTypes"), api["Body"].get("x-amazon-apigateway-binary-media-types")]
        if [each for each in given if each is not None and each != ["*/*"]] or given == [None, None]:
            yield f"{name}: its binary media types are {given}, not */*: signatures over bodies would not hold"


def old_tls_is_refused(stack: Stack) -> Iterator[str]:
    """API Gateway Developer Guide, "Supported security policies": a regional API accepts TLS 1.0 by default.

    Names that start with ``SecurityPolicy_`` need an endpoint access mode; ``STRICT`` also compares the name of the
    handshake. "Security policies for REST APIs in API Gateway".
    """
    declared = stack.template.source["Parameters"].get("TlsPolicy", {})
    for name, api in stack.template.resources("AWS::ApiGateway::RestApi").items():
        policies = [api.get("SecurityPolicy", "TLS_1_0"), *declared.get("AllowedValues", [])]
        if [each for each in policies if not str(each).startswith("SecurityPolicy_TLS13_1_")]:
            yield f"{name}: one of its security policies accepts TLS below 1.2: {policies}"
        if api.get("EndpointAccessMode") != "STRICT":
            yield f"{name}: its endpoint access mode must be STRICT"


def the_gateways_own_answers_are_problems(stack: Stack) -> Iterator[str]:
    """API Gateway Developer Guide, "Gateway response types for API Gateway", and RFC 9457."""
    for name, api in stack.template.resources("AWS::ApiGateway::RestApi").items():
        answers = api["Body"].get("x-amazon-apigateway-gateway-responses", {})
        for kind in ANSWERED:
            if fault := _fault_of(kind, answers.get(kind)):
                yield f"{name}: {kind} {fault}"


def _fault_of(kind: str, answer: dict[str, Any] | None) -> str | None:
    if answer is None:
        return "is API Gateway's own answer, which is not a problem (RFC 9457)"
    headers = answer.get("responseParameters", {})
    if headers.get("gatewayresponse.header.Content-Type") != "'application/problem+json'":
        return "is not sent as application/problem+json"
    if kind in TEMPORARY and not re.fullmatch(r"'\d+'", headers.get("gatewayresponse.header.Retry-After", "")):
        return "says nothing about when to try again (Retry-After)"
    text = answer["responseTemplates"]["application/json"]
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    problem = json.loads(text)
    status = answer.get("statusCode")
    if not {"type", "title", "detail"} <= set(problem) or problem.get("status", status) not in {
        status,
        int(status or 0),
    }:
        return f"is not a problem: {problem}"
    return None
