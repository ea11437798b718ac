"""``make acceptance STACK=name``: judge a deployed stack, print a table, and remove everything that was made.

Without a name: the same, on a stack that is brought up on this machine and taken down again.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from infra.acceptance.removal import remove
from infra.acceptance.scenarios import ALONE_FIRST, ALONE_LAST, AT_ONCE, Scenario
from infra.acceptance.stage import Skipped, Stage
from infra.acceptance.target import NotAcceptable, Target, deployed_target, local_target
from infra.local.config import PROJECT, Options
from infra.local.errors import StartupError
from infra.local.stack import local_stack

THREADS = 5
LEFT_BEHIND = Scenario("what the run leaves behind", "nothing", lambda stage: "; ".join(remove(stage)) or "nothing")
LOCAL = Options(port=0, list_lag_seconds=1, close_timeout_seconds=3, state=PROJECT / ".local" / "acceptance")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``good`` is None for a scenario that the stack has no part for."""

    scenario: Scenario
    seen: str
    seconds: float
    good: bool | None

    def __str__(self) -> str:
        mark = {True: "ok", False: "WRONG", None: "skipped"}[self.good]
        return f"{mark:8}{self.scenario.name:34}{self.scenario.expected:38}{self.seen:45}{self.seconds:6.1f}"


HEADING = f"{'':8}{'scenario':34}{'expected':38}{'seen':45}{'seconds':>7}"


@dataclass(frozen=True, slots=True)
class Program:
    """The scenarios: those that others would disturb come one by one, before and after those at the same time."""

    first: Sequence[Scenario] = ALONE_FIRST
    at_once: Sequence[Scenario] = AT_ONCE
    last: Sequence[Scenario] = ALONE_LAST


def accept(target: Target, say: Callable[[str], object] = print, program: Program | None = None) -> list[Row]:
    """Play every scenario. Everything that the run made is removed, also after a failure; the last row says so."""
    stage = Stage(target)
    try:
        rows = play(stage, say, program)
    finally:
        last = conclude(stage, say)
    return [*rows, last]


def play(stage: Stage, say: Callable[[str], object], program: Program | None = None) -> list[Row]:
    """Play every scenario. Nothing is removed."""
    rows = []
    say(HEADING)
    stage.listen()
    for row in _played(program or Program(), stage):
        rows.append(row)
        say(str(row))
    return rows


def conclude(stage: Stage, say: Callable[[str], object]) -> Row:
    """Remove what the run made, and return the row that names what is left."""
    row = _play(LEFT_BEHIND, stage)
    say(str(row))
    return row


def _played(program: Program, stage: Stage) -> Iterator[Row]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield from (_play(each, stage) for each in program.first)
        yield from pool.map(lambda each: _play(each, stage), program.at_once)
        yield from (_play(each, stage) for each in program.last)


def _play(scenario: Scenario, stage: Stage) -> Row:
    began = time.monotonic()
    try:
        return _row(scenario, scenario.play(stage), began)
    except Skipped as reason:
        return replace(_row(scenario, str(reason), began), good=None)
    except Exception as error:  # noqa: BLE001 - of any kind: the other scenarios follow
        return _row(scenario, f"{type(error).__name__}: {error}", began)


def _row(scenario: Scenario, seen: str, began: float) -> Row:
    return Row(scenario, seen, time.monotonic() - began, seen == scenario.expected)


@contextmanager
def _target(name: str) -> Iterator[Target]:
    if name:
        yield deployed_target(name)
        return
    with local_stack(LOCAL) as stack:
        yield local_target(stack)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 if every scenario showed what was expected."""
    parser = argparse.ArgumentParser(prog="python -m infra.acceptance", description="Judge a stack.")
    parser.add_argument("stack", nargs="?", default="", help="the name of a stack, in AWS's own account and region")
    try:
        with _target(parser.parse_args(arguments).stack) as target:
            rows = accept(target)
    except (NotAcceptable, StartupError) as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 2
    wrong, skipped = ([row.scenario.name for row in rows if row.good is good] for good in (False, None))
    print(f"\n{len(rows) - len(wrong) - len(skipped)} as expected, {len(skipped)} skipped, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
