"""(d) Batches: ten records of ten tenants over one, while Close takes its time."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.simulator import CloseSimulator
from tests.bench import handlers
from tests.bench.handlers import Handler
from tests.bench.installations import Installations
from tests.bench.processes.stubbed_world import API_KEY
from tests.bench.section import Ceiling, Section

LIMIT = 1.4
LATENCY_SECONDS = 0.2

NOTES = (
    "Wall time of one invocation with ten records, each of another tenant and creating a type, over one with one "
    f"record. Close is a real server that takes {LATENCY_SECONDS * 1000:.0f} ms for each call (two for a create); AWS "
    "responds at once. Best of three, connections kept.",
)


def measure(installed: Installations) -> Section:
    worker, baseline = handlers.ours(installed)["worker"], handlers.baseline(installed)["worker"]
    rows = [["a batch", "one record, ms", "ten records, ms", "ten over one"]]
    ratios = {}
    for handler in (worker, baseline):
        best = _best(handler)
        ratios[handler.name] = best["ten"] / best["one"]
        milliseconds = [f"{best[size] * 1000:,.0f}" for size in ("one", "ten")]
        rows.append([handler.name, *milliseconds, f"{ratios[handler.name]:.2f}"])
    return Section("Batches", rows, NOTES, [Ceiling("ten records over one", ratios[worker.name], LIMIT)])


def _best(handler: Handler) -> dict[str, float]:
    setup = {"options": {"latency_seconds": LATENCY_SECONDS}, "organizations": [{"keys": [API_KEY]}]}
    with TemporaryDirectory() as folder, CloseSimulator(setup=setup) as close:
        file = Path(folder) / "best.json"
        program = handler.program("time_batches", file)
        program.with_environment(CLOSE_API_URL=close.api_url).run()
        best: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return best
