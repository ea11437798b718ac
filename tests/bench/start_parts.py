"""(b) Parts of a cold start: the instructions of the api function's, stage by stage."""

from tests.bench import handlers
from tests.bench.cold_start import FLOOR
from tests.bench.installations import Installations
from tests.bench.programs import count
from tests.bench.section import Section

PARTS = (
    "Python itself",
    "code that was compiled in advance, read",
    "botocore, imported",
    "pydantic, imported",
    "Powertools (logger and metrics), imported",
    "httpx, imported",
    "the service's own modules, imported",
    "clients of AWS, TLS context, settings",
    "the first request",
)
NOTES = (
    "The api function of the table above, in a process that stops after each part; the difference to the part before "
    "is shown. A library that another one imports counts where it is imported first. The clients' part is botocore's: "
    "it reads the models of four services, its rules for endpoints, and makes a class for each client. The first "
    "request, a create, calls each client for the first time.",
)


def measure(installed: Installations) -> Section:
    api = handlers.ours(installed)["api"]
    programs = {str(stage): api.program("start_parts", stage) for stage in range(len(PARTS))}
    counts = count({"floor": FLOOR, **programs})
    rows = [["a cold start of the api function", "million instructions", "over the floor"]]
    before = 0
    for stage, part in enumerate(PARTS):
        rows.append([part, *_figures(counts[str(stage)] - before, counts["floor"])])
        before = counts[str(stage)]
    rows.append(["all of it", *_figures(before, counts["floor"])])
    return Section("Parts of a cold start", rows, NOTES, [])


def _figures(instructions: int, floor: int) -> list[str]:
    return [f"{instructions / 1e6:,.0f}", f"{instructions / floor:.2f}"]
