"""(b) Warm requests: instructions of one request over those of a bare script that makes the same calls."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import handlers
from tests.bench.handlers import Handler
from tests.bench.installations import Installations
from tests.bench.programs import Program, count
from tests.bench.section import Ceiling, Section

LIMIT = 1.0
HELD = ("api", "webhooks", "worker")
FEW, MANY = 10, 60

NOTES = (
    "Instructions of one create (for webhooks: of one signed event that is stored and queued), as "
    f"(Ir({MANY}) - Ir({FEW})) / {MANY - FEW} of processes that take so many requests with AWS and Close stubbed, over "
    "those of a bare script that makes the same calls with plain clients of boto3 and httpx: the calls of one request "
    "are recorded, and made again with their parameters.",
)


def measure(installed: Installations) -> Section:
    ours = [handler for function, handler in handlers.ours(installed).items() if function in HELD]
    subjects = [*ours, *handlers.baseline(installed).values()]
    with TemporaryDirectory() as folder:
        recorded = {each.name: Path(folder) / f"{number}.json" for number, each in enumerate(subjects)}
        for each in subjects:
            each.program("record_calls", recorded[each.name]).run()
        counts = count(_programs(subjects, recorded))
        calls = {each.name: _sequence(recorded[each.name]) for each in subjects}

    def per_request(name: str) -> float:
        return (counts[f"{name} {MANY}"] - counts[f"{name} {FEW}"]) / (MANY - FEW)

    rows = [["one warm request", "calls", "million instructions", "over a bare script"]]
    ratios = {each.name: per_request(each.name) / per_request(f"bare {each.name}") for each in subjects}
    rows += [
        [each.name, str(len(calls[each.name])), f"{per_request(each.name) / 1e6:.1f}", f"{ratios[each.name]:.2f}"]
        for each in subjects
    ]
    order = [f"In order, {each.name}: {', '.join(calls[each.name])}." for each in subjects]
    ceilings = [
        Ceiling(f"a warm request of {each.name}, over a bare script", ratios[each.name], LIMIT) for each in ours
    ]
    return Section("Warm requests", rows, [*NOTES, *order], ceilings)


def _programs(subjects: list[Handler], recorded: Mapping[str, Path]) -> dict[str, Program]:
    programs = {}
    for each in subjects:
        for requests in (FEW, MANY):
            programs[f"{each.name} {requests}"] = each.program("handler", requests)
            programs[f"bare {each.name} {requests}"] = Program.of("bare_script", recorded[each.name], requests)
    return programs


def _sequence(file: Path) -> list[str]:
    """The calls that were written down, by name, in their order."""
    calls = json.loads(file.read_text(encoding="utf-8"))
    return [f"{call[1]} {call[2]}" if call[0] == "aws" else f"Close {call[1]}" for call in calls]
