"""The handlers that are measured: the service's functions, and the baseline handler in their place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.installations import Installations
from tests.bench.programs import Program

FUNCTIONS = ("api", "webhooks", "worker", "sweeper")
BASELINE_FUNCTIONS = ("api", "worker")


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler module in its folder, and the function whose events it receives."""

    name: str
    folder: Path
    module: str
    function: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def program(self, script: str, *arguments: object) -> Program:
        environment = {"LAMBDA_TASK_ROOT": str(self.folder), **self.environment}
        return Program.of(script, self.folder, self.module, self.function, *arguments, environment=environment)


def ours(installed: Installations) -> dict[str, Handler]:
    """Return the handlers by function."""
    return {
        function: Handler(function, installed.artifact, f"provisioner.handlers.{function}", function)
        for function in FUNCTIONS
    }


def baseline(installed: Installations) -> dict[str, Handler]:
    """Return the handlers by function."""
    return {
        function: Handler(f"baseline handler as {function}", installed.compiled, "baseline_handler", function)
        for function in BASELINE_FUNCTIONS
    }


def baseline_without_bytecode(installed: Installations) -> Handler:
    return Handler(
        "baseline handler, no .pyc shipped",
        installed.plain,
        "baseline_handler",
        "api",
        {"PYTHONDONTWRITEBYTECODE": "1"},  # as a function's folder, which is read-only
    )
