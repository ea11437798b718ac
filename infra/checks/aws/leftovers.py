"""Rules for a stack that is deleted and made again, and for the sizes and names that AWS limits."""

import json
from collections.abc import Iterator

from infra.checks.aws.stack import Stack
from infra.checks.cloudformation import Template, statements

MAX_INLINE_POLICIES = 10_240  # characters of all inline policies of a role, without white space
LONGEST_STACK_NAME = "s" * 40
KEPT_ON_PURPOSE = {"GatewayAccount", "GatewayLoggingRole"}
"""The setting is the region's, and its role has a generated name: neither is in the way of another stack."""

NAME_LIMITS = {"QueueName": 80, "LogGroupName": 512, "RoleName": 64, "FunctionName": 64, "TableName": 255}


def a_deleted_stack_leaves_no_name_behind(stack: Stack) -> Iterator[str]:
    """CloudFormation User Guide, "DeletionPolicy attribute": what is retained keeps its name.

    A retained resource with a given name makes the next stack of that name fail; by default, CloudFormation deletes.
    """
    for name, resource in stack.template.source["Resources"].items():
        retained = resource.get("DeletionPolicy") in {"Retain", "RetainExceptOnCreate", "Snapshot"}
        if retained and resource["Type"] != "AWS::Lambda::Version" and name not in KEPT_ON_PURPOSE:
            yield f"{name} outlives its stack: a stack of the same name could not be made again"
    if Template(stack.template.source, {"Protection": "off"}).properties("LedgerTable")["DeletionProtectionEnabled"]:
        yield "LedgerTable is protected with Protection=off: a throwaway stack could not be deleted"


def names_are_short_enough(stack: Stack) -> Iterator[str]:
    """Each service's quotas: a name that is too long fails the deployment, and contains the stack's name."""
    deployed = stack.deployed
    for name, resource in stack.template.source["Resources"].items():
        for key, limit in NAME_LIMITS.items():
            given = resource.get("Properties", {}).get(key)
            if isinstance(given, dict) and "Fn::Sub" in given:
                longest = str(deployed.value(given)).replace("close-provisioner", LONGEST_STACK_NAME)
                if len(longest) > limit:
                    yield f"{name}: {key} may have {len(longest)} characters, of {limit}"


def policies_are_small_enough(stack: Stack) -> Iterator[str]:
    """IAM User Guide, "IAM and AWS STS quotas": a role's inline policies have 10,240 characters together."""
    everything = stack.given(TenantSecretPrefix="x" * 32, SourceSecretPrefix="y" * 32)
    for name, role in everything.resources("AWS::IAM::Role").items():
        size = sum(len(json.dumps(each, separators=(",", ":"))) for each in statements(role))
        if size > MAX_INLINE_POLICIES:
            yield f"{name}: its policies have {size} characters, of {MAX_INLINE_POLICIES}"
