"""``python -m tests.suite``: every test, in groups that fill two cores; ``make test`` runs it after the checks.

Three lanes run side by side: chaos, which mostly waits; the end-to-end tests, then the simulation, which moves its own
clock; and the tests in process, which give way to both and so fill what they leave of the cores. Each stack takes free
ports and a folder of its own, so that none disturbs another.
"""

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PROGRESS = re.compile(r"^[.sxXFE]+ *\[ *\d+%\]$|^bringing up nodes\.\.\.$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Group:
    """Folders of tests that one pytest process runs. ``niceness``: higher for tests that may wait for others."""

    name: str
    arguments: Sequence[str]
    niceness: int = 0

    @property
    def command(self) -> list[str]:
        return ["nice", "-n", str(self.niceness), sys.executable, "-m", "pytest", "-q", *self.arguments]


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The output and the exit code of one group."""

    group: Group
    seconds: float
    code: int
    output: str

    def __str__(self) -> str:
        """Return a heading with the seconds, and the output: all of it after a failure, else without the progress."""
        ended = "passed" if self.code == 0 else f"FAILED (exit code {self.code})"
        text = PROGRESS.sub("", self.output) if self.code == 0 else self.output
        lines = [line for line in text.splitlines() if line.strip()]
        return "\n".join([f"== {self.group.name}: {ended} in {self.seconds:.0f} s", *lines])


IN_PROCESS = Group(
    "architecture, unit and integration",
    (
        "-n",
        "2",
        "--dist",
        "loadfile",
        "--cov=functions/provisioner",
        "tests/architecture",
        "tests/unit",
        "tests/integration",
    ),
    niceness=10,
)
SIMULATION = Group("simulation", ("-n", "2", "--dist", "loadfile", "tests/simulation"))
END_TO_END = Group("end to end", ("tests/e2e",))
CHAOS = Group("chaos", ("tests/chaos",))

LANES: Sequence[Sequence[Group]] = ((CHAOS,), (END_TO_END, SIMULATION), (IN_PROCESS,))
"""The lanes run at the same time, the groups of a lane one after the other."""


@dataclass(slots=True)
class Suite:
    """A run of all groups."""

    results: list[GroupResult] = field(default_factory=list)

    def run(self, lanes: Sequence[Sequence[Group]] = LANES) -> bool:
        """Run every group, also after a failure. Return whether all passed."""
        with ThreadPoolExecutor(len(lanes)) as pool:
            list(pool.map(self._run_lane, lanes))
        return all(each.code == 0 for each in self.results)

    def _run_lane(self, groups: Sequence[Group]) -> None:
        for group in groups:
            started = time.monotonic()
            ended = subprocess.run(  # noqa: S603 - our own arguments
                group.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            result = GroupResult(group, time.monotonic() - started, ended.returncode, ended.stdout)
            self.results.append(result)
            print(f"{result}\n", flush=True)


def main() -> int:
    """Run the suite, and name the groups that failed."""
    started, suite = time.monotonic(), Suite()
    print("running the tests; each group prints its result when it ends\n", flush=True)
    try:
        passed = suite.run()
    except KeyboardInterrupt:
        print("The tests were interrupted. Run make test again for a result.", file=sys.stderr)
        return 130
    failed = ", ".join(each.group.name for each in suite.results if each.code)
    print(f"all groups: {'passed' if passed else f'FAILED: {failed}'} in {time.monotonic() - started:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
