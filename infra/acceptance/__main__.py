"""``make acceptance STACK=name``: judge a deployed stack, print a table, and remove everything that was made."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from infra.acceptance.scenarios import SCENARIOS, Scenario
from infra.acceptance.stage import Skipped, Stage
from infra.acceptance.target import NotAcceptable, Target, deployed_target

AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``good`` is None for a scenario that the stack has no part for."""

    scenario: Scenario
    seen: str
    seconds: float
    good: bool | None

    def __str__(self) -> str:
        mark = {True: "ok", False: "WRONG", None: "skipped"}[self.good]
        return f"{mark:8}{self.scenario.name:40}{self.scenario.expected:28}{self.seen:44}{self.seconds:6.1f}"


HEADING = f"{'':8}{'scenario':40}{'expected':28}{'seen':44}{'seconds':>7}"


def accept(
    target: Target, say: Callable[[str], object] = print, scenarios: Sequence[Scenario] = SCENARIOS
) -> list[Row]:
    """Play every scenario, some at the same time. Everything that the run made is removed, also after a failure."""
    stage = Stage(target)
    say(HEADING)
    try:
        stage.listen()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            rows = list(pool.map(lambda each: _played(each, stage), scenarios))
        for row in rows:
            say(str(row))
    finally:
        for left in stage.clear():
            say(f"could not be removed: {left}")
    return rows


def _played(scenario: Scenario, stage: Stage) -> Row:
    began = time.monotonic()
    good: bool | None
    try:
        seen = scenario.play(stage)
        good = seen == scenario.expected
    except Skipped as reason:
        seen, good = str(reason), None
    except Exception as error:  # noqa: BLE001 - of any kind: the other scenarios follow
        seen, good = f"{type(error).__name__}: {error}", False
    return Row(scenario, seen, time.monotonic() - began, good)


def main() -> int:
    """Return the exit code: 0 if every scenario showed what was expected."""
    parser = argparse.ArgumentParser(prog="python -m infra.acceptance", description="Judge a deployed stack.")
    parser.add_argument("stack", help="the name of the stack, in the account and region of AWS's own settings")
    name = parser.parse_args().stack
    try:
        rows = accept(deployed_target(name))
    except NotAcceptable as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 2
    wrong = [row.scenario.name for row in rows if row.good is False]
    print(f"\n{len(rows) - len(wrong)} of {len(rows)} as expected" + (f"; not: {', '.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
