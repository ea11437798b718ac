"""(c) Calls: how often each neighbor is called, case by case. The limits are asserted."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from infra.build.artifact import PROJECT
from infra.simulator import CloseSimulator
from tests.bench import handlers
from tests.bench.handlers import Handler
from tests.bench.installations import Installations
from tests.bench.processes.stubbed_world import API_KEY
from tests.bench.section import Ceiling, Section

COLUMNS = {
    "read at Close": ("Close GET",),
    "create at Close": ("Close POST",),
    "change at Close": ("Close PUT",),
    "ledger reads": ("dynamodb GetItem", "dynamodb Query"),
    "ledger writes": (
        "dynamodb PutItem",
        "dynamodb UpdateItem",
        "dynamodb DeleteItem",
        "dynamodb TransactWriteItems",
    ),
    "read units": ("dynamodb read units",),
    "write units": ("dynamodb write units",),
    "publish": ("sns Publish", "sns PublishBatch"),
    "queue": ("sqs SendMessage", "sqs ChangeMessageVisibility"),
}

LIMITED = ("read at Close", "create at Close", "ledger writes", "read units", "write units", "publish")

LIMITS = {
    "create": (1, 1, 5, 4, 19, 1),
    "another request for a type": (0, 0, 3, 2, 11, 1),
    "repeat of a settled request": (0, 0, 1, 0, 2, 0),
    "a blueprint of 3 types, 15 fields": (2, 18, 7, 4, 52, 1),
    "the same again, under another id": (0, 0, 3, 5, 20, 1),
    "ten copies in one batch": (1, 1, 14, 6, 37, 1),
    "ten requests for one type": (1, 1, 23, 6, 91, 1),
}
"""At most so many of what is LIMITED, by case. A create takes one write each to accept, to lease each type, to record
that it begins to write to Close, to settle, and to record that the outcome was published."""

NOTES = (
    "Counted at the clients, with the tenant's credential cached, against moto as AWS and the simulated Close. A "
    "create writes to the ledger to accept the request, to take the lease, to record that it begins to write to Close, "
    "to settle (the outcome and the type's new state, in one transaction), and to record that the outcome was "
    "published. The third of these is what lets another request settle from memory without a lease: from that mark on, "
    "only a run under leases settles this one. It reads which organization the tenant's key opens, what was observed "
    "of the type, whether Close has imposed a rate limit on that organization, and, before the first write to Close, "
    "the organization once more. The api's one message to the queue is the fallback delivery.",
    "*Read units* and *write units*: what DynamoDB charges for the ledger's reads, all of them consistent, and writes, "
    "computed from the items read, and from those before and after. Of the 19 of a create, 4 keep the lists of "
    "requests by tenant and by time, and none the history: it fits into the kilobytes that are paid for anyway.",
)


def measure(installed: Installations) -> Section:
    ours, baseline = handlers.ours(installed), handlers.baseline(installed)
    rows = [["calls made", *COLUMNS]]
    ceilings = []
    for handler in (ours["api"], ours["worker"], baseline["api"], baseline["worker"]):
        for case, calls in _cases(handler).items():
            figures = {column: sum(calls.pop(name, 0) for name in names) for column, names in COLUMNS.items()}
            if calls:
                raise LookupError(f"{handler.name}, {case}: calls of a kind that no column counts: {sorted(calls)}")
            rows.append([f"{handler.name}: {case}", *map(str, figures.values())])
            if handler in ours.values():
                ceilings += _ceilings(handler, case, figures)
    return Section("Calls", rows, NOTES, ceilings)


def _ceilings(handler: Handler, case: str, figures: Mapping[str, int]) -> list[Ceiling]:
    limits = zip(LIMITED, LIMITS[case], strict=True)
    return [Ceiling(f"{handler.name}, {case}: {column}", figures[column], limit) for column, limit in limits]


def ledger_indexes() -> list[tuple[list[str], list[str]]]:
    """Return the keys of each index of the ledger, and the attributes that it holds besides."""
    source = yaml.load((PROJECT / "template.yaml").read_text(), Loader=_Tags)  # noqa: S506 - a safe loader
    indexes = source["Resources"]["LedgerTable"]["Properties"]["GlobalSecondaryIndexes"]
    return [
        (
            [key["AttributeName"] for key in each["KeySchema"]],
            each["Projection"].get("NonKeyAttributes", []),
        )
        for each in indexes
    ]


class _Tags(yaml.SafeLoader):
    """A loader that reads CloudFormation's functions as nothing."""


_Tags.add_multi_constructor("!", lambda *_: None)


def _cases(handler: Handler) -> dict[str, dict[str, int]]:
    with TemporaryDirectory() as folder, CloseSimulator(setup={"organizations": [{"keys": [API_KEY]}]}) as close:
        file = Path(folder) / "calls.json"
        environment = {"CLOSE_API_URL": close.api_url, "LEDGER_INDEXES": json.dumps(ledger_indexes())}
        handler.program("count_calls", file).with_environment(**environment).run()
        cases: dict[str, dict[str, int]] = json.loads(file.read_text(encoding="utf-8"))
    return cases
