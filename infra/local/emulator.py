"""The local AWS: ministack, with the functions' IAM roles enforced."""

import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from infra.local.config import PROJECT
from infra.local.ports import HOST
from infra.local.processes import Process

REGION = "us-east-1"
ACCOUNT = "111122223333"
ACCESS_KEY = "test"  # known to the emulator as the account's root
SECRET_KEY = "test"  # noqa: S105 - the emulator does not verify signatures
START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class LocalAws:
    """The address of the emulator, and clients for it."""

    port: int

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        """Return environment variables for the SAM CLI, the SDKs and the AWS CLI."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str) -> Any:
        """Return a new boto3 client. The profile and region of this machine do not matter."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint_url}/_ministack/ready", timeout=2) as response:  # noqa: S310
                return bool(response.status == 200)
        except OSError:
            return False


def start_emulator(aws: LocalAws, temporary: Path, log: Path) -> Process:
    """Start ministack. It is ready a second later (``LocalAws.is_ready``)."""
    return Process.start("the local AWS (ministack)", [str(tool("ministack"))], log, _environment(aws, temporary))


def tool(name: str) -> Path:
    return PROJECT / ".tools" / name / "bin" / name


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without variables that point at a real account or change how Python starts."""
    removed = ("AWS_", "PYTHON", "SAM_CLI_", "VIRTUAL_ENV")
    return {name: value for name, value in environment.items() if not name.startswith(removed)}


def _environment(aws: LocalAws, temporary: Path) -> dict[str, str]:
    """Return few variables, since functions inherit them. Without AWS_ENDPOINT_URL, ministack sets its own for them."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return inherited | {
        "AUTH": "true",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(aws.port),
        "MINISTACK_HOST": HOST,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "TMPDIR": str(temporary),
    }
