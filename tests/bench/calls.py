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
    "write units": ("dynamodb write units",),
    "publish": ("sns Publish", "sns PublishBatch"),
    "queue": ("sqs SendMessage", "sqs ChangeMessageVisibility"),
}

LIMITS = {
    "create": {"read at Close": 1, "create at Close": 1, "ledger writes": 4, "write units": 21, "publish": 1},
    "adopt": {"read at Close": 1, "create at Close": 0, "ledger writes": 4, "publish": 1},
    "repeat of a settled request": {"read at Close": 0, "create at Close": 0, "ledger writes": 1, "publish": 0},
    "a blueprint of 3 types, 15 fields": {"read at Close": 2, "create at Close": 18, "ledger writes": 6, "publish": 1},
    "the same again, under another id": {"read at Close": 2, "create at Close": 0, "ledger writes": 6, "publish": 1},
    "ten copies in one batch": {"read at Close": 1, "create at Close": 1, "publish": 1},
    "ten requests for one type": {"read at Close": 1, "create at Close": 1, "publish": 1},
}
"""At most so many, by case: a read and a create, and one write each to accept, to lease each type, to settle, and to
record that the outcome was published."""

NOTES = (
    "Counted at the clients, with the tenant's credential cached, against moto as AWS and the simulated Close. A "
    "create writes to the ledger to accept the request, to take the lease, to settle (the outcome and the type's new "
    "state, in one transaction), and to record that the outcome was published. It reads which organization the "
    "tenant's key opens, and whether Close has imposed a rate limit on that organization. The api's one message to the "
    "queue is the fallback delivery.",
    "*Write units*: what DynamoDB charges for the ledger writes, computed from the items before and after. Of the 21 "
    "of a create, 4 keep the lists of requests by tenant and by time, and none the history: it fits into the kilobytes "
    "that are paid for anyway.",
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
                ceilings += [_ceiling(handler, case, column, figures) for column in LIMITS[case]]
    return Section("Calls", rows, NOTES, ceilings)


def _ceiling(handler: Handler, case: str, column: str, figures: Mapping[str, int]) -> Ceiling:
    return Ceiling(f"{handler.name}, {case}: {column}", figures[column], LIMITS[case][column])


def _indexes() -> list[tuple[list[str], list[str]]]:
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
        environment = {"CLOSE_API_URL": close.api_url, "LEDGER_INDEXES": json.dumps(_indexes())}
        handler.program("count_calls", file).with_environment(**environment).run()
        cases: dict[str, dict[str, int]] = json.loads(file.read_text(encoding="utf-8"))
    return cases
