"""(a) Cold start: instructions of a whole process over those of ``python -c "import boto3; boto3.client('sns')"``."""

from collections.abc import Mapping

from tests.bench import handlers
from tests.bench.handlers import Handler
from tests.bench.handshakes import over_tls
from tests.bench.installations import Installations
from tests.bench.programs import Program, count
from tests.bench.section import Ceiling, Section

LIMITS = {"api": 1.15, "worker": 1.15, "webhooks": 1.0}
CONNECTED_LIMITS = {"api": 1.25, "worker": 1.25, "webhooks": 1.05}
RESTORED_LIMIT = 0.12
FLOOR = Program(("-c", "import boto3; boto3.client('sns')"))
SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}

NOTES = (
    "Instructions of a whole Python process, over those of the floor in the project's own environment: "
    "`python -c \"import boto3; boto3.client('sns')\"`. The service's handlers run from the built artifact, and can "
    "import nothing else; the baseline handler runs from a plain installation. *Ready*: the handler is imported, with "
    "every client and the TLS context for Close that it needs. *Answered*: the same process has also answered its "
    "first request, a create, with AWS and Close stubbed at the lowest layer of botocore and httpx (for webhooks: a "
    "signed event is stored and queued; for the sweeper: no request is overdue). The ceiling is on Answered, so that "
    "work which is only postponed counts too.",
    "*Connected*: the same, but with a connection to each service of AWS and to Close, and their TLS handshakes. One "
    "server of this machine plays them all, with a chain of three certificates. *Restored*: a request after a restore "
    "from a snapshot (SnapStart), with everything that the hooks of the runtime renew; AWS and Close are stubbed.",
    "Counted by `valgrind --tool=cachegrind --cache-sim=no` with `PYTHONHASHSEED=0`.",
)


def measure(installed: Installations) -> Section:
    ours, baseline = list(handlers.ours(installed).values()), list(handlers.baseline(installed).values())
    subjects = [*ours, *baseline, handlers.baseline_without_bytecode(installed)]
    programs = {
        f"{each.name} {requests}": each.program("handler", requests) for each in subjects for requests in (0, 1)
    }
    with over_tls([each for each in ours if each.name in LIMITS] + baseline) as connected:
        programs |= {f"{name} connected": program for name, program in connected.items()}
        counts = count({"floor": FLOOR, **programs, **_restored(ours)})
    ratios = {name: instructions / counts["floor"] for name, instructions in counts.items()}
    for name in LIMITS:
        ratios[f"{name} restored"] = ratios[f"{name} restored 1"] - ratios[f"{name} restored 0"]
    rows = [["cold start, instructions over the floor", "ready", "answered", "connected", "restored"]]
    rows += [[each.name, *_figures(each, ratios)] for each in subjects]
    rows += [[f"the floor: {counts['floor'] / 1e6:,.0f} million instructions", "1.00", "", "", ""]]
    return Section("Cold start", rows, NOTES, _ceilings(ratios))


def _restored(ours: list[Handler]) -> dict[str, Program]:
    return {
        f"{each.name} restored {requests}": each.program("handler", requests).with_environment(**SNAP_START)
        for each in ours
        if each.name in LIMITS
        for requests in (0, 1)
    }


def _figures(handler: Handler, ratios: Mapping[str, float]) -> list[str]:
    names = (f"{handler.name} {state}" for state in ("0", "1", "connected", "restored"))
    return [f"{ratios[name]:.2f}" if name in ratios else "" for name in names]


def _ceilings(ratios: Mapping[str, float]) -> list[Ceiling]:
    return [
        *(Ceiling(f"cold start of {name}, over the floor", ratios[f"{name} 1"], most) for name, most in LIMITS.items()),
        *(
            Ceiling(f"cold start of {name} with its connections, over the floor", ratios[f"{name} connected"], most)
            for name, most in CONNECTED_LIMITS.items()
        ),
        *(Ceiling(f"{name} restored, over the floor", ratios[f"{name} restored"], RESTORED_LIMIT) for name in LIMITS),
    ]
