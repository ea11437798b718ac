"""The stack under acceptance: its addresses and names, the same on AWS and on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.acceptance.local_processes import LocalProcesses
from infra.acceptance.simulated_close import InvokedControls
from infra.local.api_client import ApiClient
from infra.local.deployment import STACK_NAME
from infra.local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from infra.local.sigv4 import SigV4
from infra.local.stack import LocalStack
from infra.simulator.control.client import Controls


class NotAcceptable(Exception):
    """The stack cannot be judged; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A stack with its outputs, the environment of its functions, and a session of its account."""

    name: str
    outputs: Mapping[str, str]
    environment: Mapping[str, str]
    session: boto3.Session
    close: Controls
    http: ApiClient
    event_bus: str | None = None
    endpoint_url: str | None = None
    """The address of the local AWS; None on AWS."""
    processes: LocalProcesses | None = None
    """The functions' processes; None on AWS, where they are out of reach."""

    def client(self, service: str) -> Any:
        """Return a client for the stack's account and region."""
        return self.session.client(service, endpoint_url=self.endpoint_url)


def deployed_target(name: str) -> Target:
    """Return the stack of that name, in the account and region of the environment's own AWS settings.

    Raises ``NotAcceptable`` if it does not use the simulated Close: acceptance writes, and injects faults.
    """
    session = boto3.Session()
    try:
        [stack] = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise NotAcceptable(f"The stack {name} cannot be read: {error}") from None
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    if "WorkerFunctionName" not in outputs:
        raise NotAcceptable(f"{name} is not a stack of this service that is up (its state: {stack['StackStatus']}).")
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    function = session.client("lambda").get_function_configuration(FunctionName=outputs["WorkerFunctionName"])
    environment: Mapping[str, str] = function["Environment"]["Variables"]
    if ".lambda-url." not in environment["CLOSE_API_URL"]:
        raise NotAcceptable(
            f"{name} calls {environment['CLOSE_API_URL']}. Acceptance creates types and injects faults, so it needs the"
            " simulated Close: run `make simulator`, set CloseApiUrl to its output, and deploy again."
        )
    return Target(
        name,
        outputs,
        environment,
        session,
        close=InvokedControls.found_by_url(session, environment["CLOSE_API_URL"]),
        http=ApiClient(outputs["ApiUrl"], SigV4("execute-api", session.get_credentials(), str(session.region_name))),
        event_bus=parameters.get("EventBusName") or None,
    )


def local_target(stack: LocalStack) -> Target:
    """Return the stack on this machine."""
    if stack.close is None:
        raise NotAcceptable("This stack calls another Close. Acceptance needs the simulated one.")
    [found] = stack.aws.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    emulator, *_ = stack.servers
    return Target(
        name=STACK_NAME,
        outputs={each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]},
        environment=stack.description.functions["worker"].environment,
        session=boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION),
        close=stack.close,
        http=stack.http,
        event_bus="default",
        endpoint_url=stack.description.aws_endpoint_url,
        processes=LocalProcesses(emulator.pid),
    )
