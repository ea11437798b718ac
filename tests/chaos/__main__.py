"""``make chaos``: one run, by its seed.

python -m tests.chaos --seed 7                      as ``make faults`` does it
python -m tests.chaos --seed 7 --baseline          the baseline handler, by the same plan
python -m tests.chaos --seed 7 --requests 60        a short one, by another plan
"""

import argparse
import sys
import time
from collections import Counter

import tests.simulation.paths  # noqa: F401 - before anything that imports the service
from tests.chaos.baseline import baseline_code
from tests.chaos.run import ChaosResult, run

REQUESTS = 300


def main() -> int:
    asked = _arguments()
    print(f"seed {asked.seed}, {asked.requests} requests", flush=True)
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {what}", flush=True)

    result = run(asked.seed, asked.requests, code=baseline_code() if asked.baseline else None, say=say)
    show(result)
    return 1 if result.violations or result.coverage_gaps else 0


def show(result: ChaosResult) -> None:
    """All figures of a run, and what is wrong with it."""
    print("calls    ", _listed(result.calls))
    print("Close    ", _listed(result.fired.close))
    print("AWS      ", _listed(result.fired.aws))
    print("kills    ", _listed(Counter(f"{each.action} {each.name}" for each in result.fired.kills)))
    print("changes  ", _listed(result.fired.changes))
    print("hostile  ", result.fired.hostile)
    print("remembered", result.fired.remembered)
    print("outcomes ", _listed(result.results))
    print("redriven ", result.redriven)
    print(result.counts)
    print(result.line)
    for each in result.coverage_gaps:
        print(f"it did not hit what it should: {each}")
    for violations in result.violations:
        print(f"{violations.invariant}: {violations.description}")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seed", default="1", help="decides the requests and the faults")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--baseline", action="store_true", help="deploy the baseline handler instead")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
