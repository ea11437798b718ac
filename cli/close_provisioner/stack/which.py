"""Which stack a command is about: the one that the operator names, or the one that is at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from close_provisioner.errors import Misused, NotAllowed, NotFound
from close_provisioner.stack.aws_errors import aws_errors, explained
from close_provisioner.stack.local import running_local_stack
from close_provisioner.stack.signing import SignedRequests

DEFAULT = "close-provisioner"
NOT_HERE = "No local stack runs in this folder. Start one with `make run`, in the project's folder."
LOCAL_NAME = "close-provisioner-local"
FUNCTION = "FunctionName"
"""The end of the outputs that hold names of functions."""
VARIABLE = "CLOSE_PROVISIONER_STACK"
PATIENCE = botocore.config.Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})


@dataclass(frozen=True, slots=True)
class Choice:
    """The options that choose a stack."""

    stack: str | None = None
    local: bool = False
    profile: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack, with what it takes to call it.

    ``functions``: names of the deployed functions by handler. ``endpoint_url``: the local AWS; None for the real one.
    """

    name: str
    api_url: str
    region: str
    tenant_secret_prefix: str
    source_secret_prefix: str
    session: Any
    functions: Mapping[str, str] = field(default_factory=dict)
    endpoint_url: str | None = None

    @property
    def is_local(self) -> bool:
        return self.endpoint_url is not None

    @property
    def cloudformation_name(self) -> str:
        """The name in CloudFormation, which begins the names of the alarms."""
        return LOCAL_NAME if self.is_local else self.name

    def client(self, service: str) -> Any:
        """Return a client of an AWS service, with the caller's own permissions."""
        return self.session.client(service, region_name=self.region, endpoint_url=self.endpoint_url, config=PATIENCE)

    def signed_requests(self) -> SignedRequests:
        """Return the signer of requests to the HTTP API. Raises ``NotAllowed`` without credentials."""
        with aws_errors("execute-api:Invoke", self.api_url):
            credentials = self.session.get_credentials()
        if credentials is None:
            raise explained(NoCredentialsError(), "execute-api:Invoke", self.api_url)
        return SignedRequests(credentials, self.region)


def find_stack(choice: Choice, folder: Path, environment: Mapping[str, str]) -> Stack:
    """Return the stack: ``--stack``, ``--local``, the variable, a running local one, or ``close-provisioner``.

    Raises:
        NotFound: no such stack exists. NotAllowed: it may not be described. Misused: the options contradict.
    """
    if choice.stack and choice.local:
        raise Misused("Give one of --stack and --local.")
    name = choice.stack or (None if choice.local else environment.get(VARIABLE))
    if name:
        return _deployed(name, choice)
    found = running_local_stack(folder, environment)
    if found:
        return _local(found)
    if choice.local:
        raise NotFound(NOT_HERE)
    try:
        return _deployed(DEFAULT, choice)
    except (Misused, NotAllowed, NotFound) as error:
        raise type(error)(f"{NOT_HERE} A deployed stack needs more: {error}") from None


def _local(described: Mapping[str, Any]) -> Stack:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106 - of the local AWS
    return Stack(
        name="local stack",
        api_url=described["api_url"],
        region=described["region"],
        tenant_secret_prefix=described["tenant_secret_prefix"],
        source_secret_prefix=described["source_secret_prefix"],
        session=session,
        functions={handler: each["name"] for handler, each in described.get("functions", {}).items()},
        endpoint_url=described["aws_endpoint_url"],
    )


def _deployed(name: str, choice: Choice) -> Stack:
    with aws_errors("cloudformation:DescribeStacks", name):
        session = boto3.Session(profile_name=choice.profile, region_name=choice.region)
        cloudformation = session.client("cloudformation", config=PATIENCE)
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            raise NotFound(
                f"No stack {name!r} exists in {cloudformation.meta.region_name} of this account. "
                f"Name one with --stack, and its place with --region and --profile."
            ) from None
        raise explained(error, "cloudformation:DescribeStacks", name) from error
    except BotoCoreError as error:
        raise explained(error, "cloudformation:DescribeStacks", name) from error
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())}
    try:
        return Stack(
            name=name,
            api_url=outputs["ApiUrl"],
            region=cloudformation.meta.region_name,
            tenant_secret_prefix=outputs["TenantSecretPrefix"],
            source_secret_prefix=outputs["SourceSecretPrefix"],
            session=session,
            functions={
                key.removesuffix(FUNCTION).lower(): value for key, value in outputs.items() if key.endswith(FUNCTION)
            },
        )
    except KeyError as missing:
        raise NotFound(f"The stack {name!r} is not one of this service: it has no output {missing}.") from None
