"""``python -m tests.suite``: every test, in groups that fill two cores; ``make test`` runs it after the checks.

The unit tests take both cores. Then the simulation, which moves its own clock, and the end-to-end tests run beside
chaos, which mostly waits. Each stack takes free ports and a folder of its own, so that none disturbs another.
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
    """Folders of tests that one pytest process runs."""

    name: str
    arguments: Sequence[str]


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
)
SIMULATION = Group("simulation", ("tests/simulation",))
END_TO_END = Group("end to end", ("tests/e2e",))
CHAOS = Group("chaos", ("tests/chaos",))

STAGES: Sequence[Sequence[Sequence[Group]]] = (((IN_PROCESS,),), ((SIMULATION, END_TO_END), (CHAOS,)))
"""One stage after the other; the lanes of a stage at the same time; the groups of a lane one after the other."""


@dataclass(slots=True)
class Suite:
    """A run of all groups."""

    results: list[GroupResult] = field(default_factory=list)

    def run(self, stages: Sequence[Sequence[Sequence[Group]]] = STAGES) -> bool:
        """Run every group, also after a failure. Return whether all passed."""
        for lanes in stages:
            with ThreadPoolExecutor(len(lanes)) as pool:
                list(pool.map(self._run_lane, lanes))
        return all(each.code == 0 for each in self.results)

    def _run_lane(self, groups: Sequence[Group]) -> None:
        for group in groups:
            started = time.monotonic()
            ended = subprocess.run(  # noqa: S603 - our own arguments
                [sys.executable, "-m", "pytest", "-q", *group.arguments],
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
