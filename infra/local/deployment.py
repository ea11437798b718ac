"""``sam build`` and ``sam deploy`` of the unmodified template to the local AWS."""

import fcntl
import hashlib
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
BUILT = PROJECT / ".local" / "sam"  # apart from .aws-sam, where the build for AWS and its architecture is
SOURCES = ("template.yaml", ".python-version", "infra/*.yaml", "infra/build/**/*", "functions/**/*")
BUILD_SECONDS = 300
DEPLOY_SECONDS = 120


def architecture() -> str:
    """This machine's own, in the words of Lambda."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def needs_build() -> bool:
    stamp = BUILT / ".fingerprint"
    return not stamp.exists() or stamp.read_text() != fingerprint()


def build(log: Path) -> None:
    """Raises ``StartupError`` with what ``sam build`` said last."""
    with _alone():
        before = fingerprint()
        command = [str(tool("sam")), "build", "--config-env", "local", "--build-dir", str(BUILT)]
        overrides = ["--parameter-overrides", f"Architecture={architecture()}"]
        Process.start("sam build", [*command, *overrides], log, _tool_environment(), PROJECT).finish(BUILD_SECONDS)
        (BUILT / ".fingerprint").write_text(before)


def deploy(aws: LocalAws, parameters: Mapping[str, str], log: Path) -> dict[str, str]:
    """The stack's outputs by key. Raises ``StartupError`` with what ``sam deploy`` said last."""
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
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def parameters_for(options: Options, close_api_url: str) -> dict[str, str]:
    """What the template is deployed with here; all else keeps its default."""
    parameters = {
        "Architecture": architecture(),
        "CloseApiUrl": close_api_url,
        "Protection": "off",  # the stack is thrown away at the end
        "TlsOnly": "off",  # ministack speaks plain HTTP
        "SourceAlarms": "off",  # and knows no alarms on metric queries
        # It throttles, and counts webhooks by the limit of the other routes: a fast machine's tests would hear 429.
        "RequestsPerSecond": "10000",
        "RequestsBurst": "5000",
        "LogLevel": "DEBUG",
    }
    for name, value in (
        ("ListLagSeconds", options.list_lag_seconds),
        ("CloseTimeoutSeconds", options.close_timeout_seconds),
    ):
        if value is not None:
            parameters[name] = f"{value:g}"
    return parameters


def local_api_url(aws: LocalAws, api_url: str) -> str:
    """``https://<id>.execute-api…/<stage>`` as the emulator serves it: host names of that form resolve nowhere here."""
    url = urlsplit(api_url)
    return f"{aws.endpoint_url}/_aws/execute-api/{(url.hostname or '').partition('.')[0]}{url.path}"


def fingerprint() -> str:
    """Of all that decides what is built."""
    digest = hashlib.sha256(architecture().encode())
    for path in _sources():
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    found = {path for pattern in SOURCES for path in PROJECT.glob(pattern) if path.is_file()}
    yield from sorted(path for path in found if "__pycache__" not in path.parts)


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time, also when tests and a run begin at once."""
    BUILT.parent.mkdir(exist_ok=True)
    with (BUILT.parent / "sam.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tool_environment() -> dict[str, str]:
    """SAM asks how a deployment goes every five seconds unless told otherwise; the local one takes two in all."""
    return without_aws(os.environ) | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.2"}
