"""``python -m tests.bench.walk``: how far a reader follows one request through the files of ``functions/provisioner``.

The simplest create is played through the HTTP API handler until its outcome is published, in the simulation's
environment, in a warm function. A call from a function of one file to a function of another is two *moves*, there and
back; code of libraries in between does not count.
"""

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import tests.simulation.paths  # noqa: F401 - before the service is imported
from tests.simulation.callers import body
from tests.simulation.environment import SimulatedEnvironment
from tests.simulation.fault import Case
from tests.simulation.system_under_test import CloseProvisioner
from tests.simulation.workload import Workload

PACKAGE = Path(__file__).resolve().parents[2] / "functions" / "provisioner"
VOCABULARY = frozenset(
    {
        "close/models.py",
        "contract/errors.py",
        "contract/outcome.py",
        "contract/request.py",
        "contract/spec.py",
        "ledger/lease.py",
        "ledger/models.py",
        "reconcile/plan.py",
    }
)
"""Files that hold the values which the others hand on. A reader knows them after the first visit."""
SHOWN_PAIRS = 15


@dataclass(slots=True)
class Walk:
    """The calls of one request: ``calls`` by file of the caller ("" for none of ours) and file of the function."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    functions: set[tuple[str, str]] = field(default_factory=set)

    def files(self, without: frozenset[str] = frozenset()) -> set[str]:
        """The files entered."""
        return {callee for _, callee in self.calls} - without

    def moves(self, without: frozenset[str] = frozenset()) -> Counter[tuple[str, str]]:
        """The moves from one file to another and back, by caller and callee."""
        return Counter(
            {
                (caller, callee): 2 * number
                for (caller, callee), number in self.calls.items()
                if caller and caller != callee and not {caller, callee} & without
            }
        )

    def record(self, frame: FrameType, event: str, _argument: object) -> None:
        """Count the call if it enters a function of the package. A profile function."""
        if event != "call" or (callee := _file_of(frame)) is None:
            return
        outer, caller = frame.f_back, None
        while outer is not None and (caller := _file_of(outer)) is None:
            outer = outer.f_back
        self.calls[caller or "", callee] += 1
        self.functions.add((callee, frame.f_code.co_qualname))

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record every call made inside, in this thread and in those that start meanwhile."""
        before = sys.getprofile()
        threading.setprofile(self.record)
        sys.setprofile(self.record)
        try:
            yield
        finally:
            sys.setprofile(before)
            threading.setprofile(None)


def _file_of(frame: FrameType) -> str | None:
    path = frame.f_code.co_filename
    return path.removeprefix(f"{PACKAGE}/") if path.startswith(f"{PACKAGE}/") else None


def walk() -> Walk:
    """Play one create by a function that has served its tenant before, and return the walk."""
    with SimulatedEnvironment(CloseProvisioner(), Case("walk")).patched() as environment:
        environment.add_tenant("acme")
        workload = Workload(environment)
        workload.post(body("first", "Contract"))
        recorded = Walk()
        with recorded.recorded():
            status = workload.post(body("second", "Account"))
        if status != 201:
            raise RuntimeError(
                f"The create was answered with {status}, not 201. Run the unit tests of the API handler."
            )
        return recorded


def main() -> None:
    """Print the figures, and the pairs of files with most moves."""
    recorded = walk()
    for title, without in (("all files", frozenset[str]()), ("without vocabulary", VOCABULARY)):
        files, moves = recorded.files(without), recorded.moves(without)
        print(f"{title:19} {len(files):3} files  {moves.total():4} moves  between {len(moves)} pairs of files")
    print(f"{'functions':19} {len(recorded.functions):3}        {recorded.calls.total():4} calls\n")
    for (caller, callee), number in recorded.moves().most_common(SHOWN_PAIRS):
        print(f"{number:5}  {caller} -> {callee}")


if __name__ == "__main__":
    main()
