"""Rules for functions: loops through queues, and versions that follow their settings."""

import re
from collections.abc import Iterator
from typing import Any

from infra.checks.aws.stack import Stack, reachable
from infra.checks.deployed import references

MAX_DESCRIPTION = 256  # of a version, in characters

SAMPLES = (
    "other",
    "https://other.example/api/v1/",
    "arn:aws:kms:eu-central-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
    "arn:aws:sns:eu-central-1:111122223333:alarms",
    "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/mine/1",
    "arn:aws:iam::111122223333:policy/boundary",
    "arn:aws:lambda:eu-central-1:111122223333:layer:one:1",
    "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "sg-0123456789abcdef0",
    "aws.partner/stripe.com/ed_1",
    "aws.partner/auth0.com/tenant-1/events",
)
"""Values of parameters. A parameter that takes none of them needs another one here."""


def loops_are_allowed_where_they_are_meant(stack: Stack) -> Iterator[str]:
    """Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops".

    Lambda stops a chain of invocations through SQS, SNS or itself after about 16, unless the function's
    ``RecursiveLoop`` is ``Allow``.
    """
    graph = _sends(stack)
    for name, function in stack.functions().items():
        feeds_itself, allowed = name in reachable(graph, name), function.get("RecursiveLoop") == "Allow"
        if feeds_itself and not allowed:
            yield f"{name} sends to a queue or topic that feeds it: Lambda would stop it. It needs RecursiveLoop: Allow"
        if allowed and not feeds_itself:
            yield f"{name} has RecursiveLoop: Allow, and feeds no queue or topic that feeds it"


def _sends(stack: Stack) -> dict[str, set[str]]:
    """Return who may invoke whom: functions, and the ARNs of queues and topics."""
    deployed = stack.deployed
    graph: dict[str, set[str]] = {
        name: stack.granted(name, "sqs:SendMessage")
        | stack.granted(name, "sns:Publish")
        | stack.granted(name, "lambda:InvokeFunction")
        for name in stack.functions()
    }
    of_arn = {str(deployed.attribute(name, "Arn")): name for name in stack.functions()}
    for mapping in deployed.resources("AWS::Lambda::EventSourceMapping").values():
        graph.setdefault(mapping["EventSourceArn"], set()).add(_unqualified(mapping["FunctionName"], of_arn))
    for subscription in deployed.resources("AWS::SNS::Subscription").values():
        graph.setdefault(subscription["TopicArn"], set()).add(_unqualified(subscription["Endpoint"], of_arn))
    for arn, name in of_arn.items():
        graph.setdefault(arn, set()).add(name)
        graph.setdefault(f"{arn}:live", set()).add(name)
    return graph


def _unqualified(target: str, of_arn: dict[str, str]) -> str:
    return next((name for arn, name in of_arn.items() if target in {arn, f"{arn}:live"}), target)


def a_changed_parameter_makes_a_new_version(stack: Stack) -> Iterator[str]:
    """AWS::Lambda::Version: ``Description`` (256 characters at most), "Update requires: Replacement".

    SAM names a version after the translated text, in which a parameter is a reference: only a changed description
    publishes a version when only a parameter's value changes.
    """
    versions = {
        name: each["Properties"]
        for each in stack.raw("AWS::Lambda::Version").values()
        if (name := _function_of(each)) in _served(stack)
    }
    functions = stack.raw("AWS::Lambda::Function")
    for parameter, declared in stack.template.source["Parameters"].items():
        other = _other_value(declared)
        if other is None:
            yield f"{parameter}: no value is known to try; add one to SAMPLES"
            continue
        before, after = stack.deployed, stack.given(**{parameter: other})
        for name, function in functions.items():
            if name not in versions or _settings(before, function) == _settings(after, function):
                continue
            if before.value(versions[name]) == after.value(versions[name]):
                yield f"{parameter} changes {name}, and not its version: name it in VersionDescription"
    for name, version in versions.items():
        longest = stack.given(**{each: _longest(of) for each, of in stack.template.source["Parameters"].items()})
        length = len(longest.value(version.get("Description", "")))
        if length > MAX_DESCRIPTION:
            yield f"the version's description of {name} may have {length} characters, of {MAX_DESCRIPTION}"


def _served(stack: Stack) -> set[str]:
    """Return the functions whose alias something in the stack invokes."""
    resources = stack.template.source["Resources"]
    invoked = set().union(*(references(each) for each in resources.values()))
    aliases = stack.raw("AWS::Lambda::Alias")
    return {_function_of(each) for alias, each in aliases.items() if alias in invoked}


def _settings(deployed: Any, function: dict[str, Any]) -> Any:
    """Return what a version keeps of a function: all but its tags."""
    return {key: each for key, each in deployed.value(function["Properties"]).items() if key not in {"Tags", "Role"}}


def _function_of(published: dict[str, Any]) -> str:
    name: str = published["Properties"]["FunctionName"]["Ref"]
    return name


def _other_value(parameter: dict[str, Any]) -> Any:
    default = str(parameter.get("Default", ""))
    if parameter["Type"] == "Number":
        allowed = parameter.get("AllowedValues") or [parameter.get("MinValue", 1), parameter.get("MaxValue", 7)]
    else:
        pattern = parameter.get("AllowedPattern", ".*")
        allowed = parameter.get("AllowedValues") or [each for each in SAMPLES if re.fullmatch(pattern, each)]
    return next((each for each in allowed if str(each) != default), None)


def _longest(parameter: dict[str, Any]) -> Any:
    if parameter.get("AllowedValues"):
        return max(parameter["AllowedValues"], key=lambda each: len(str(each)))
    default = parameter.get("Default", "")
    if parameter["Type"] == "Number":
        return parameter.get("MaxValue", default)
    pattern, length = parameter.get("AllowedPattern", ".*"), parameter.get("MaxLength")
    for text in (str(default), *SAMPLES) if length else SAMPLES:
        filling = "x" * (length - len(text)) if length else ""
        for index in range(len(text) + 1):
            if re.fullmatch(pattern, longer := text[:index] + filling + text[index:]):
                return longer
    return default
