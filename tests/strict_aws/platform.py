"""The permissions that AWS itself uses in the name of a function's role, derived from the template."""

from collections.abc import Iterator

from infra.checks.deployed import Deployed, role_of
from tests.strict_aws.iam import NeededPermission

POLLING = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
"""Lambda Developer Guide, "Using Lambda with Amazon SQS", permissions of the execution role."""
LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")
TRACING = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
IN_A_VPC = (
    *("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"),
)
"""AWS's managed policy AWSLambdaVPCAccessExecutionRole."""


def platform_needs(deployed: Deployed) -> Iterator[tuple[str, NeededPermission]]:
    """Yield role and permission: logs, traces, network interfaces, polled queues, destinations of failed events."""
    functions = deployed.template.resources("AWS::Lambda::Function")
    for function in functions.values():
        role, group = role_of(function), deployed.value(function["LoggingConfig"]["LogGroup"])
        stream = f"arn:aws:logs:{deployed.region}:{deployed.account}:log-group:{group}:log-stream:2026/11/27/[1]0"
        yield from ((role, NeededPermission(action, stream)) for action in LOGGING)
        if function["TracingConfig"]["Mode"] == "Active":
            yield from ((role, NeededPermission(action, "*")) for action in TRACING)
        if function.get("VpcConfig"):
            yield from ((role, NeededPermission(action, "*")) for action in IN_A_VPC)
    for mapping in deployed.resources("AWS::Lambda::EventSourceMapping").values():
        role = _role_of(deployed, mapping["FunctionName"])
        yield from ((role, NeededPermission(action, mapping["EventSourceArn"])) for action in POLLING)
    for config in deployed.resources("AWS::Lambda::EventInvokeConfig").values():
        destination = config["DestinationConfig"]["OnFailure"]["Destination"]
        yield _role_of(deployed, config["FunctionName"]), NeededPermission("sqs:SendMessage", destination)


def _role_of(deployed: Deployed, target: str) -> str:
    """Return the role of the function that a name, an ARN or its alias stands for."""
    for name, function in deployed.template.resources("AWS::Lambda::Function").items():
        arn = str(deployed.attribute(name, "Arn"))
        if target in {deployed.ref(name), arn, f"{arn}:live"}:
            return role_of(function)
    raise LookupError(f"no function of the template is {target}")
