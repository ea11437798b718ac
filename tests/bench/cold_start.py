"""(a) Cold start: instructions of a whole process over those of ``python -c "import boto3; boto3.client('sns')"``."""

from tests.bench import handlers
from tests.bench.installations import Installations
from tests.bench.programs import Program, count
from tests.bench.section import Ceiling, Section

LIMIT = 1.6
HELD = ("api", "webhooks", "worker")
FLOOR = Program(("-c", "import boto3; boto3.client('sns')"))

NOTES = (
    "Instructions of a whole Python process, over those of the floor in the project's own environment: "
    "`python -c \"import boto3; boto3.client('sns')\"`. The service's handlers run from the built artifact, and can "
    "import nothing else; the baseline handler runs from a plain installation. *Ready*: the handler is imported, with "
    "every client and the TLS context for Close that it needs. *Answered*: the same process has also answered its "
    "first request, a create, with AWS and Close stubbed at the lowest layer of botocore and httpx (for webhooks: a "
    "signed event is stored and queued; for the sweeper: no request is overdue). The ceiling is on Answered, so that "
    "work which is only postponed counts too.",
    "Not included, since no bytes are sent: connections, their TLS handshakes, and botocore's reading of its CA bundle "
    "for each of them. Counted by `valgrind --tool=cachegrind --cache-sim=no` with `PYTHONHASHSEED=0`.",
)


def measure(installed: Installations) -> Section:
    subjects = [
        *handlers.ours(installed).values(),
        *handlers.baseline(installed).values(),
        handlers.baseline_without_bytecode(installed),
    ]
    programs = {
        f"{each.name} {requests}": each.program("handler", requests) for each in subjects for requests in (0, 1)
    }
    counts = count({"floor": FLOOR, **programs})
    ratios = {name: instructions / counts["floor"] for name, instructions in counts.items()}
    rows = [["cold start, instructions over the floor", "ready", "answered"]]
    rows += [[each.name, *(f"{ratios[f'{each.name} {requests}']:.2f}" for requests in (0, 1))] for each in subjects]
    rows += [[f"the floor: {counts['floor'] / 1e6:,.0f} million instructions", "1.00", ""]]
    ceilings = [
        Ceiling(f"cold start of {function}, over the floor", ratios[f"{function} 1"], LIMIT) for function in HELD
    ]
    return Section("Cold start", rows, NOTES, ceilings)
