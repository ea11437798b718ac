"""Which stack a command is about, and the sentence for each way in which none is found."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    UnauthorizedSSOTokenError,
)
from moto import mock_aws

from close_provisioner.errors import Misused, NotAllowed, NotFound, Unexpected
from close_provisioner.stack.aws_errors import explained
from close_provisioner.stack.which import Choice, find_stack
from tests.unit.cli.terminal import API_URL, FakeStack

OUTPUTS = {"ApiUrl": "https://a.example/live", "TenantSecretPrefix": "p/tenants", "SourceSecretPrefix": "p/sources"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield


def deploy(name: str, outputs: dict[str, str] = OUTPUTS) -> None:
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


@pytest.mark.usefixtures("aws")
def test_a_deployed_stack_is_read_from_its_outputs(tmp_path: Path) -> None:
    deploy("close-provisioner-dev")
    found = find_stack(Choice(stack="close-provisioner-dev"), tmp_path, {})
    assert (found.name, found.api_url, found.region) == (
        "close-provisioner-dev",
        "https://a.example/live",
        "eu-central-1",
    )
    assert (found.tenant_secret_prefix, found.source_secret_prefix) == ("p/tenants", "p/sources")
    assert (found.is_local, found.endpoint_url) == (False, None)


@pytest.mark.usefixtures("aws")
def test_the_variable_comes_before_a_local_stack_and_the_option_before_the_variable(stack: FakeStack) -> None:
    deploy("of-the-variable")
    deploy("of-the-option")
    environment = {"CLOSE_PROVISIONER_LOCAL": str(stack.state), "CLOSE_PROVISIONER_STACK": "of-the-variable"}
    assert find_stack(Choice(), stack.state, environment).name == "of-the-variable"
    assert find_stack(Choice(stack="of-the-option"), stack.state, environment).name == "of-the-option"
    assert find_stack(Choice(local=True), stack.state, environment).is_local


@pytest.mark.usefixtures("aws")
def test_a_local_stack_that_runs_here_or_above_comes_before_the_default(tmp_path: Path) -> None:
    deploy("close-provisioner")
    FakeStack(tmp_path / ".local")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = find_stack(Choice(), below, {})
    assert (found.name, found.api_url) == ("local stack", API_URL)
    (tmp_path / ".local" / "run.lock").write_text("999999999")  # a killed run left its files
    assert find_stack(Choice(), below, {}).name == "close-provisioner"


@pytest.mark.usefixtures("aws")
def test_a_stack_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"No stack 'nope' exists in eu-central-1 of this account\. Name one"):
        find_stack(Choice(stack="nope"), tmp_path, {})
    deploy("another", {"BucketName": "b"})
    with pytest.raises(NotFound, match=r"'another' is not one of this service: it has no output 'ApiUrl'\."):
        find_stack(Choice(stack="another"), tmp_path, {})
    with pytest.raises(NotFound, match="No local stack runs in this folder"):
        find_stack(Choice(local=True), tmp_path, {})


def test_without_a_local_and_a_named_stack_the_way_to_either_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Misused, match=r"No local stack runs in this folder\. Start one .* No AWS region is set\."):
        find_stack(Choice(), tmp_path, {})


def test_two_stacks_at_once_are_a_misuse(stack: FakeStack) -> None:
    ran = stack.run("plan -b account --local --stack x")
    assert (ran.code, ran.err) == (2, "Give one of --stack and --local.\n")


def test_the_first_line_for_people_says_which_stack_was_taken(stack: FakeStack) -> None:
    stack.answers = {"GET /v1/blueprints": {"data": []}}
    assert stack.run("blueprints list", width=80).err.startswith("local stack · http://127.0.0.1:4566\n")
    assert "local stack" not in stack.run("blueprints list").err


def denied(message: str, code: str = "AccessDeniedException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutSecretValue")


FULL = (
    "User: arn:aws:iam::111122223333:user/anna is not authorized to perform: secretsmanager:PutSecretValue on "
    "resource: arn:aws:secretsmanager:eu-central-1:111122223333:secret:p/tenants/acme because no identity-based policy"
)


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (
            denied(FULL),
            NotAllowed,
            "arn:aws:iam::111122223333:user/anna may not secretsmanager:PutSecretValue on "
            "arn:aws:secretsmanager:eu-central-1:111122223333:secret:p/tenants/acme. "
            "An administrator of the AWS account can allow it.",
        ),
        (
            denied("no", "AccessDenied"),
            NotAllowed,
            "These credentials may not s:Act on secret acme. An administrator of the AWS account can allow it.",
        ),
        (
            denied("late", "ExpiredToken"),
            NotAllowed,
            "The AWS credentials have expired. Sign in again (aws sso login).",
        ),
        (
            denied("?", "InvalidClientTokenId"),
            NotAllowed,
            "AWS does not know these credentials (InvalidClientTokenId).",
        ),
        (denied("gone", "ResourceNotFoundException"), NotFound, "secret acme does not exist."),
        (denied("slow down", "Throttling"), Unexpected, "AWS refused s:Act on secret acme (Throttling): slow down"),
        (NoCredentialsError(), NotAllowed, "No AWS credentials were found here. Sign in (aws sso login), or set AWS_"),
        (NoRegionError(), Misused, "No AWS region is set. Set AWS_REGION, a region in the profile, or --region."),
        (ProfileNotFound(profile="prod"), Misused, "The config profile (prod) could not be found."),
        (UnauthorizedSSOTokenError(), NotAllowed, "The AWS credentials have expired."),
        (ConnectTimeoutError(endpoint_url="https://x"), Unexpected, "AWS did not respond to s:Act (ConnectTimeout"),
    ],
)
def test_an_error_of_aws_is_one_sentence(error: Any, kind: type[Exception], sentence: str) -> None:
    found = explained(error, "s:Act", "secret acme")
    assert type(found) is kind
    assert str(found).startswith(sentence)
    assert "\n" not in str(found)
