"""Runs the programs of processes/ where a Lambda function would run: its environment, and nothing of this machine's."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

PROCESSES = Path(__file__).parent / "processes"

INSTRUCTIONS = re.compile(r"I\s+refs:\s+([\d,]+)")

ENVIRONMENT = {
    "PATH": os.defpath,
    "HOME": "/nonexistent",  # no ~/.aws
    "PYTHONHASHSEED": "0",  # the same count every time
    "PYTHONNOUSERSITE": "1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "LEDGER_TABLE_NAME": "ledger",
    "PROVISIONING_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/111122223333/provisioning",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/111122223333/dead-letters",
    "EVENTS_DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/111122223333/dead-events",
    "OUTCOMES_TOPIC_ARN": "arn:aws:sns:us-east-1:111122223333:outcomes",
    "TENANT_SECRET_PREFIX": "close-provisioner/tenants",
    "SOURCE_SECRET_PREFIX": "close-provisioner/sources",
    "TENANT_WAIT_DAYS": "3",
    "EVENT_SOURCE": "/close-provisioner/bench",
    "CLOSE_API_URL": "https://api.close.com/api/v1/",
    "CLOSE_TIMEOUT_SECONDS": "20",
    "LIST_LAG_SECONDS": "60",
    "OBSERVATION_MAX_AGE_SECONDS": "60",
    "LEASE_SECONDS": "90",
    "FALLBACK_DELAY_SECONDS": "30",
    "WAIT_LIMIT_SECONDS": "21600",
    "MAX_RECEIVES": "5",
    "REQUEST_RETENTION_DAYS": "90",
    "POWERTOOLS_SERVICE_NAME": "close-provisioner",
    "POWERTOOLS_METRICS_NAMESPACE": "CloseProvisioner",
    "POWERTOOLS_LOG_LEVEL": "INFO",
}


class ProgramFailed(RuntimeError):
    """The measured program failed."""


@dataclass(frozen=True, slots=True)
class Program:
    """A Python program: what comes after ``python``, and what differs in its environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, script: str, *arguments: object, environment: Mapping[str, str] | None = None) -> "Program":
        """One of the programs in processes/."""
        return cls((str(PROCESSES / f"{script}.py"), *map(str, arguments)), environment or {})

    def with_environment(self, **more: str) -> "Program":
        return replace(self, environment={**self.environment, **more})

    def run(self, before: Sequence[str] = ()) -> None:
        """Raises ``ProgramFailed`` with what the program said."""
        done = subprocess.run(  # noqa: S603 - our own programs
            [*before, sys.executable, *self.arguments],
            env={**ENVIRONMENT, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ProgramFailed(f"python {' '.join(self.arguments)} failed:\n{done.stdout[-2000:]}{done.stderr}")


def valgrind() -> str | None:
    return shutil.which("valgrind")


def instructions(program: Program) -> int:
    """The instructions that the program executes, counted by valgrind's cachegrind. It runs once before it counts.

    That first run shows whether it works at all, and leaves the byte code of what is not shipped in an artifact.
    """
    program.run()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = (valgrind() or "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
        program.run(before=(*command, f"--log-file={log}"))
        found = INSTRUCTIONS.search(log.read_text(encoding="utf-8"))
    if not found:
        raise ProgramFailed("valgrind told no number of instructions")
    return int(found[1].replace(",", ""))


def count(programs: Mapping[str, Program]) -> dict[str, int]:
    """The instructions of each program. They run side by side: counts, unlike times, do not mind."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(programs, pool.map(instructions, programs.values()), strict=True))
