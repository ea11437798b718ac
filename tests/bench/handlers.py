"""The handlers that are measured: our doors, and the afternoon handler as each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.installations import Installations
from tests.bench.programs import Program

DOORS = ("api", "webhooks", "worker", "sweeper")
AFTERNOON_DOORS = ("api", "worker")


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler module in its folder, and the door that it is asked to be."""

    name: str
    folder: Path
    module: str
    door: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def program(self, script: str, *arguments: object) -> Program:
        environment = {"LAMBDA_TASK_ROOT": str(self.folder), **self.environment}
        return Program.of(script, self.folder, self.module, self.door, *arguments, environment=environment)


def ours(installed: Installations) -> dict[str, Handler]:
    """By door."""
    return {door: Handler(door, installed.artifact, f"provisioner.{door}", door) for door in DOORS}


def afternoon(installed: Installations) -> dict[str, Handler]:
    """By door."""
    return {
        door: Handler(f"afternoon handler as {door}", installed.compiled, "afternoon_handler", door)
        for door in AFTERNOON_DOORS
    }


def afternoon_without_bytecode(installed: Installations) -> Handler:
    return Handler(
        "afternoon handler, no .pyc shipped",
        installed.plain,
        "afternoon_handler",
        "api",
        {"PYTHONDONTWRITEBYTECODE": "1"},  # as a function's folder, which is read-only
    )
