"""The processes in which the local AWS runs the functions."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class LocalProcesses:
    """The functions' processes below that of the emulator."""

    emulator: int

    def environment(self, function: str) -> Mapping[str, str]:
        """Return the variables of a process of the function. Raises ``LookupError`` if none runs."""
        for process in self._of(function):
            with suppress(psutil.Error):
                return process.environ()
        raise LookupError(f"no process of {function} runs")

    def kill(self, function: str) -> int:
        """Kill every process of the function (SIGKILL), and return how many that were."""
        killed = 0
        for process in self._of(function):
            with suppress(psutil.NoSuchProcess):
                process.kill()
                killed += 1
        return killed

    def _of(self, function: str) -> Iterator[psutil.Process]:
        for process in psutil.Process(self.emulator).children(recursive=True):
            with suppress(psutil.Error):
                if process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == function:
                    yield process
