"""``make load``: many requests through every entry point of a local stack at once, and the outcome of each."""

import argparse
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local import config
from infra.local.errors import StartupError
from infra.local.outcomes import Feed
from infra.local.stack import LocalStack, local_stack
from infra.local.ui.progress import Progress as Steps
from tests.bench.report import write_into
from tests.load.callers import LoadCallers
from tests.load.report import WIDTH, Load, show, text
from tests.load.workload import CROWD, TENANTS, Planned, plan

COUNT, CALLERS = 5000, 20
SILENCE_SECONDS = 120.0
"""No outcome for so long after everything was sent: then those that are missing are lost."""
STATE = config.PROJECT / ".local" / "load"
PAGE = config.PROJECT / "docs" / "explanation" / "benchmarks.md"


@dataclass(slots=True)
class Listener:
    """A subscriber that reads outcomes while others send. ``awaited``: the requests without one so far."""

    feed: Feed
    progress: Progress
    bar: object
    awaited: set[tuple[str, str]]
    is_all_sent: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Read outcomes until there are all of them, or no more arrive."""
        heard_at = time.monotonic()
        while self.awaited and not (self.is_all_sent.is_set() and time.monotonic() > heard_at + SILENCE_SECONDS):
            for each in self.feed.poll(1):
                heard_at = time.monotonic()
                if each.concerns in self.awaited:
                    self.awaited.discard(each.concerns)
                    self.progress.advance(self.bar)  # type: ignore[arg-type]


def play(stack: LocalStack, planned: Sequence[Planned], callers: int, console: Console) -> Load:
    """Send everything, wait for the outcomes, and look at what Close holds."""
    add_tenants(stack)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    feed = Feed(stack.aws.client("sqs"), stack.description.outcomes_queue_url)
    with Progress(*columns, console=console) as progress:
        accepted = progress.add_task("accepted", total=len(planned))
        settled = progress.add_task("settled ", total=len(planned))
        listener = Listener(feed, progress, settled, {each.key for each in planned})
        listening = threading.Thread(target=listener.listen)
        listening.start()
        sent = LoadCallers(stack, lambda _: progress.advance(accepted)).send_all(planned, callers)
        listener.is_all_sent.set()
        listening.join()
    feed.poll(2)  # whatever is published a second time
    assert stack.close
    organizations = [f"orga_{tenant}" for tenant in (CROWD, *TENANTS)]
    types = {each: [str(found["name"]) for found in stack.close.types(each)] for each in organizations}
    calls = Counter(
        str(each["method"]) for organization in organizations for each in stack.close.requests(organization)
    )
    return Load(sent, feed.arrived, types, calls)


def add_tenants(stack: LocalStack) -> None:
    """Add an organization for each tenant, and store its key."""
    assert stack.close
    secretsmanager, prefix = stack.aws.client("secretsmanager"), stack.description.tenant_secret_prefix
    for tenant in (CROWD, *TENANTS):
        added = stack.close.add_organization(id=f"orga_{tenant}", name=tenant)
        secretsmanager.create_secret(Name=f"{prefix}/{tenant}", SecretString=added["keys"][0])


def main() -> int:
    """Return the exit code: 1 if a request was refused, lost or failed, or something was made twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help=f"requests ({COUNT:,})")
    parser.add_argument("--callers", type=int, default=CALLERS, help=f"callers side by side ({CALLERS})")
    parser.add_argument("--seed", default="load", help="chooses the requests")
    given = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    try:
        with local_stack(config.Options(port=0, state=STATE), Steps()) as stack:
            load = play(stack, plan(given.count, given.seed), given.callers, console)
    except StartupError as error:
        console.print(f"\n{error}\n", markup=False, highlight=False)
        return 1
    console.print()
    show(load, console)
    if given.count == COUNT and write_into(PAGE, f"```\n{text(load)}\n```", "load"):
        console.print(f"written into {PAGE.relative_to(config.PROJECT)}")
    return 0 if load.is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
