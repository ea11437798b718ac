"""The report of a load: how fast each entry point was, and what was lost or doubled."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from infra.local.outcomes import Announcement
from tests.load.callers import SentRequest
from tests.load.workload import ENTRY_POINTS

WIDTH = 110  # of the report in a pipe or in a document
HEADINGS = ("", "requests", "a second", "accepted p50", "p99", "outcome p50", "p99", "attempts", "most")


class Load(NamedTuple):
    """The requests sent, the outcomes announced, and the state of Close afterwards.

    ``types``: the names of the types of each organization. ``calls``: at Close, by method.
    """

    sent: Sequence[SentRequest]
    announced: Sequence[Announcement]
    types: Mapping[str, Sequence[str]]
    calls: Mapping[str, int]

    @property
    def refused(self) -> list[str]:
        """The requests that no entry point took, each with its error."""
        refused = (each for each in self.sent if each.error)
        return [f"{each.planned.request_id} over {each.planned.entry_point}: {each.error}" for each in refused]

    @property
    def outcomes(self) -> dict[tuple[str, str], Announcement]:
        """The first outcome of each request, by tenant and request id."""
        first: dict[tuple[str, str], Announcement] = {}
        for each in sorted(self.announced, key=lambda each: each.published_at):
            first.setdefault(each.concerns, each)
        return first

    @property
    def lost(self) -> list[tuple[str, str]]:
        """The accepted requests without an outcome."""
        known = self.outcomes
        return [each.planned.key for each in self.sent if not each.error and each.planned.key not in known]

    @property
    def failed(self) -> list[str]:
        """The requests whose outcome is a failure: each of them can be carried out."""
        bad = ("failed", "unresolved")
        found = [each.data for each in self.outcomes.values() if each.data["result"] in bad]
        return [f"{each['tenant']}/{each['request_id']}: {each.get('problem', {}).get('detail')}" for each in found]

    @property
    def doubled(self) -> list[str]:
        """The types beyond the first of a name, and the requests with outcomes under several ids."""
        types = [
            f"{organization}: {name} × {number}"  # noqa: RUF001
            for organization, names in self.types.items()
            for name, number in Counter(names).items()
            if number > 1
        ]
        ids: dict[tuple[str, str], set[str]] = {}
        for each in self.announced:
            ids.setdefault(each.concerns, set()).add(each.event["id"])
        return types + [f"{'/'.join(key)}: {len(found)} event ids" for key, found in ids.items() if len(found) > 1]

    @property
    def is_good(self) -> bool:
        return not (self.refused or self.lost or self.failed or self.doubled)


def table(load: Load) -> Table:
    """Return a row for each entry point, and one for all of them."""
    drawn = Table(*HEADINGS, box=box.SIMPLE_HEAD)
    for column in drawn.columns[1:]:
        column.justify = "right"
    for entry_point in ENTRY_POINTS:
        drawn.add_row(
            *cells(entry_point, [each for each in load.sent if each.planned.entry_point == entry_point], load)
        )
    drawn.add_section()
    drawn.add_row(*cells("all", load.sent, load))
    return drawn


def text(load: Load) -> str:
    """Return the printed report, for a document."""
    console = Console(width=WIDTH, file=StringIO(), record=True)
    show(load, console)
    return "\n".join(line.rstrip() for line in console.export_text().strip("\n").splitlines())


def show(load: Load, console: Console) -> None:
    """Print the table, and the sentences below it."""
    console.print(table(load))
    for line in lines(load):
        console.print(line, highlight=False)


def cells(name: str, sent: Sequence[SentRequest], load: Load) -> list[str]:
    """Return the cells of some of the requests. Their throughput lasts until the last of their outcomes."""
    outcomes = load.outcomes
    settled = [(each, outcomes[each.planned.key]) for each in sent if each.planned.key in outcomes]
    if not settled:
        return [name, f"{len(sent):,}", *["–"] * (len(HEADINGS) - 2)]  # noqa: RUF001
    last = max(outcome.published_at for _, outcome in settled)
    attempts = [int(outcome.data["attempts"]) for _, outcome in settled]
    until_accepted = [each.accepted_at - each.sent_at for each in sent]
    until_outcome = [outcome.published_at - each.sent_at for each, outcome in settled]
    return [
        name,
        f"{len(sent):,}",
        f"{len(settled) / (last - min(each.sent_at for each in sent)):.1f}",
        *(f"{percentile(until_accepted, share):.2f} s" for share in (0.5, 0.99)),
        *(f"{percentile(until_outcome, share):.1f} s" for share in (0.5, 0.99)),
        f"{sum(attempts) / len(attempts):.2f}",
        str(max(attempts)),
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(-int(-share * len(ordered) // 1) - 1, 0)]


def lines(load: Load) -> Iterator[str]:
    """Yield the sentences below the table."""
    results = Counter(each.data["result"] for each in load.outcomes.values())
    again = len(load.announced) - len({each.event["id"] for each in load.announced})
    yield f"results: {', '.join(f'{number:,} {result}' for result, number in results.most_common())}"
    yield f"calls at Close: {', '.join(f'{number:,} {method}' for method, number in sorted(load.calls.items()))}"
    yield f"published again under the same id: {again:,}"
    for name, found in (
        ("refused", load.refused),
        ("lost", load.lost),
        ("failed", load.failed),
        ("doubled", load.doubled),
    ):
        examples = f": {', '.join(map(str, found[:5]))}" if found else ""
        yield f"{name}: {len(found):,}{examples}"
