"""``sam build`` and ``sam deploy`` of the unmodified template to the local AWS."""

import fcntl
import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.config import PROJECT, Options
from infra.local.emulator import LocalAws, tool, without_aws
from infra.local.processes import Process

STACK_NAME = "close-provisioner-local"
ARTIFACTS_BUCKET = f"{STACK_NAME}-artifacts"
BUILT = PROJECT / ".local" / "sam"  # not .aws-sam, which holds the build for AWS and its architecture
SOURCES = ("template.yaml", ".python-version", "infra/*.yaml", "infra/build/**/*", "functions/**/*")
BUILD_SECONDS = 300
DEPLOY_SECONDS = 120


def architecture() -> str:
    """Return the architecture of this machine, by its name in Lambda."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def needs_build() -> bool:
    """Return whether a source changed since the last build."""
    stamp = BUILT / ".fingerprint"
    return not stamp.exists() or stamp.read_text() != fingerprint()


def build(log: Path) -> None:
    """Run ``sam build``, unless another start has built the same meanwhile.

    Raises ``StartupError`` with the end of its log.
    """
    with _alone():
        if not needs_build():
            return
        before = fingerprint()
        command = [str(tool("sam")), "build", "--config-env", "local", "--build-dir", str(BUILT)]
        overrides = ["--parameter-overrides", f"Architecture={architecture()}"]
        Process.start("sam build", [*command, *overrides], log, _tool_environment(), PROJECT).finish(BUILD_SECONDS)
        (BUILT / ".fingerprint").write_text(before)


def deploy(aws: LocalAws, parameters: Mapping[str, str], log: Path) -> dict[str, str]:
    """Run ``sam deploy``, and return the stack's outputs. Raises ``StartupError`` with the end of its log."""
    aws.client("s3").create_bucket(Bucket=ARTIFACTS_BUCKET)
    command = [
        *(str(tool("sam")), "deploy", "--config-env", "local", "--template-file", str(BUILT / "template.yaml")),
        *("--stack-name", STACK_NAME, "--s3-bucket", ARTIFACTS_BUCKET, "--region", "us-east-1"),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar", "--parameter-overrides"),
        *(f"{name}={value}" for name, value in parameters.items()),
    ]
    environment = _tool_environment() | aws.credentials
    Process.start("sam deploy", command, log, environment, PROJECT).finish(DEPLOY_SECONDS)
    _allow_batches(aws)
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _allow_batches(aws: LocalAws) -> None:
    """Let the worker publish batches: AWS asks for ``sns:Publish``, ministack for an action that AWS does not have."""
    resource = aws.client("cloudformation").describe_stack_resource(
        StackName=STACK_NAME, LogicalResourceId="WorkerRole"
    )
    statement = {"Effect": "Allow", "Action": "sns:PublishBatch", "Resource": "*"}
    aws.client("iam").put_role_policy(
        RoleName=resource["StackResourceDetail"]["PhysicalResourceId"],
        PolicyName="publish-batches",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def parameters_for(options: Options, close_api_url: str) -> dict[str, str]:
    """Return the parameters that differ from the template's defaults here."""
    parameters = {
        "Architecture": architecture(),
        "CloseApiUrl": close_api_url,
        "Protection": "off",  # the stack is deleted at the end
        "TlsOnly": "off",  # ministack speaks plain HTTP
        "EventBusName": "default",  # ministack has no other client
        "SourceAlarms": "off",  # ministack does not support alarms on metric queries
        # ministack throttles webhooks by the limit of the other routes: fast tests would receive 429.
        "RequestsPerSecond": "10000",
        "RequestsBurst": "5000",
        "LogLevel": "DEBUG",
    }
    for name, value in (
        ("ListLagSeconds", options.list_lag_seconds),
        ("ObservationMaxAgeSeconds", options.list_lag_seconds),
        ("CloseTimeoutSeconds", options.close_timeout_seconds),
    ):
        if value is not None:
            parameters[name] = f"{value:g}"
    return parameters


def local_api_url(aws: LocalAws, api_url: str) -> str:
    """Return the emulator's address of ``https://<id>.execute-api…/<stage>``, which does not resolve here."""
    url = urlsplit(api_url)
    return f"{aws.endpoint_url}/_aws/execute-api/{(url.hostname or '').partition('.')[0]}{url.path}"


def fingerprint() -> str:
    """Return a digest of the architecture and of all files that the build reads."""
    digest = hashlib.sha256(architecture().encode())
    for path in _sources():
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    found = {path for pattern in SOURCES for path in PROJECT.glob(pattern) if path.is_file()}
    yield from sorted(path for path in found if "__pycache__" not in path.parts)


@contextmanager
def _alone() -> Iterator[None]:
    """Allow one build at a time, also when tests and a run start together."""
    BUILT.parent.mkdir(exist_ok=True)
    with (BUILT.parent / "sam.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tool_environment() -> dict[str, str]:
    """Return the environment of the SAM CLI. It polls every 0.2 s, not every 5 s: a local deployment takes 2 s."""
    return without_aws(os.environ) | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.2"}
