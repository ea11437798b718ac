"""The alarms of a stack that are on, as CloudWatch knows them."""

from close_provisioner.client.answers import Answer
from close_provisioner.stack.aws_errors import aws_errors
from close_provisioner.stack.which import Stack


class Alarm(Answer):
    """An alarm that is on. ``suffix``: its name without that of the stack, as the runbook has it."""

    suffix: str
    since: str
    reason: str = ""


def alarms_that_are_on(stack: Stack) -> list[Alarm]:
    """Return the alarms in state ALARM. Raises ``NotAllowed`` without cloudwatch:DescribeAlarms."""
    prefix = f"{stack.cloudformation_name}-"
    with aws_errors("cloudwatch:DescribeAlarms", f"{prefix}*"):
        pages = stack.client("cloudwatch").get_paginator("describe_alarms")
        found = [
            each
            for page in pages.paginate(AlarmNamePrefix=prefix, StateValue="ALARM")
            for each in page.get("MetricAlarms", ())
        ]
    return [
        Alarm(
            suffix=str(each["AlarmName"]).removeprefix(prefix),
            since=each["StateUpdatedTimestamp"].isoformat(),
            reason=each.get("StateReason", ""),
        )
        for each in found
    ]
