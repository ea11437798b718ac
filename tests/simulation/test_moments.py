"""Upgrade and rollback: every recorded ledger is continued by this code, and what this code writes can be rolled back.

Older code itself is not here to be run. It ignores what it does not know, as this code does, and finds all that it
needs: each attribute that every item of a kind had is still there, of the same type and shape.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import boto3
import pytest

from tests.simulation import aws
from tests.simulation.checker import check
from tests.simulation.environment import SimulatedEnvironment
from tests.simulation.fault import Case
from tests.simulation.moments import CASES, FOLDER, NEXT, Moment, read, record
from tests.simulation.system_under_test import TABLE, CloseProvisioner
from tests.simulation.workload import Workload

RECORDED = {f"{path.stem}, {each.case}": each for path in sorted(FOLDER.glob("*.json")) for each in read(path)}

type Shape = Mapping[str, Mapping[str, set[str]]]
"""The kinds of items, the attributes that each item of the kind has, and their types and shapes."""


@contextmanager
def continued(moment: Moment) -> Iterator[Workload]:
    """Continue from the moment until nothing is left to do; a tenant whose key is missing gets one."""
    environment = SimulatedEnvironment(CloseProvisioner(), Case(moment.case.partition(":")[0]))
    with environment.patched():
        workload = moment.resume(environment)
        for tenant in {tenant for tenant, *_ in moment.submitted} - moment.organizations.keys():
            workload.store_tenant(tenant)
        workload.run_until_quiescent()
        yield workload


def violations(workload: Workload) -> list[object]:
    """Return each broken promise, each request that AWS rejects, and each error: nothing is in the way here."""
    errors = [line for line in workload.environment.output.getvalue().splitlines() if '"level":"ERROR"' in line]
    return [*check(workload), *workload.environment.rejected_by_aws, *errors, *workload.unresolved_keys()]


@pytest.mark.parametrize("moment", RECORDED.values(), ids=RECORDED)
def test_a_recorded_ledger_is_continued_and_its_requests_are_answered_as_before(moment: Moment) -> None:
    with continued(moment) as workload:
        assert violations(workload) == []
        keys, published = workload.request_keys(), len(workload.environment.account.published)
        assert len(keys) == sum(key.startswith("REQUEST#") for key in moment.items)
        statuses = {workload.post(workload.body(key)) for key in keys}
        assert statuses <= {200, 201, 409, 424}
        assert len(workload.environment.account.published) == published
        assert violations(workload) == []


def test_a_recorded_failure_is_retried() -> None:
    for moment in (each for name, each in RECORDED.items() if "plan limit" in name):
        with continued(moment) as workload:
            [key] = workload.request_keys()
            workload.environment.close.organization("acme").has_custom_objects = True
            assert workload.retry(key) == 202
            workload.run_until_quiescent()
            assert [each.data["name"] for each in workload.environment.close.organization("acme").existing_types()]
            assert violations(workload) == []


def of_a_newer_version(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item with an attribute, keys of documents and elements of lists that this code does not know."""
    changed = {name: _newer(name, value) for name, value in item.items()}
    return {**changed, "newer": {"S": "unknown"}}


def _newer(name: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    if name == "history":
        return {"L": [{"S": _appended(each["S"], lambda entry: [*entry, "newer"])} for each in value["L"]]}
    if name in {"asked", "settled_as"}:
        return {"S": _appended(value["S"], lambda row: [*row, "newer"])}
    if name == "in_doubt":
        return {
            "S": _appended(
                value["S"], lambda rows: {key: [[*each, "newer"] for each in of] for key, of in rows.items()}
            )
        }
    if name == "observations":
        return {"S": _appended(value["S"], lambda rows: {key: [*each, "newer"] for key, each in rows.items()})}
    if name == "outcome":
        return {"S": _appended(value["S"], _newer_outcome)}
    return value


def _newer_outcome(outcome: dict[str, Any]) -> dict[str, Any]:
    types = [{**each, "newer": 1} for each in outcome["types"]]
    return {**outcome, "types": types, "newer": 1}


def _appended(text: str, change: Callable[[Any], Any]) -> str:
    return json.dumps(change(json.loads(text)))


@pytest.mark.parametrize("case", CASES)
def test_what_a_newer_version_adds_is_ignored_and_kept(case: str) -> None:
    moment = RECORDED[f"{NEXT.stem}, {case}"]
    newer = replace(moment, items={key: of_a_newer_version(item) for key, item in moment.items.items()})
    with continued(newer) as workload:
        kept = {key for key, item in aws.items(TABLE).items() if "newer" in item}
        assert {key for key in moment.items if not key.startswith("WAITING#")} <= kept
        _forget_additions()
        assert violations(workload) == []


def _forget_additions() -> None:
    """Remove what a newer version added to outcomes: this code announces them without it."""
    client = boto3.client("dynamodb", region_name=aws.REGION)
    for item in [each for each in aws.items(TABLE).values() if "outcome" in each]:
        outcome = json.loads(item["outcome"]["S"])
        outcome.pop("newer", None)
        for each in outcome["types"]:
            each.pop("newer", None)
        client.put_item(TableName=TABLE, Item={**item, "outcome": {"S": json.dumps(outcome)}})


def shape_of(moments: Iterable[Moment]) -> Shape:
    """Return the attributes that all items of a kind have in common, in all moments."""
    found: dict[str, dict[str, set[str]]] = {}
    for item in (item for moment in moments for item in moment.items.values()):
        kind, state = item["pk"]["S"].partition("#")[0], item.get("state", {}).get("S", "")
        attributes = {name: {_kind(value)} for name, value in item.items()}
        known = found.setdefault(f"{kind} {state}".strip(), attributes)
        for name in [*known]:
            if name in attributes:
                known[name] |= attributes[name]
            else:
                del known[name]
    return found


def _kind(value: Mapping[str, Any]) -> str:
    """Return the type of a value, and of a document its keys or the number of its elements."""
    [(kind, content)] = value.items()
    if kind != "S" or content[:1] not in {"{", "["}:
        return str(kind)
    document = json.loads(content)
    return f"{kind} {sorted(document) if isinstance(document, dict) else len(document)}"


def lacking(old: Shape, new: Shape) -> list[str]:
    """Return what old items of each kind have, and new ones have not."""
    return [
        f"{kind}: {name} {sorted(shapes)}"
        for kind, attributes in old.items()
        for name, shapes in attributes.items()
        if not shapes & new.get(kind, {}).get(name, set())
    ]


@pytest.fixture(scope="module")
def today() -> list[Moment]:
    return [record(case) for case in CASES]


def test_all_that_older_code_reads_is_still_written(today: list[Moment]) -> None:
    for path in sorted(FOLDER.glob("*.json")):
        assert lacking(shape_of(read(path)), shape_of(today)) == [], path.name


def test_an_attribute_that_is_gone_or_changed_is_reported(today: list[Moment]) -> None:
    def changed(item: Mapping[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in item.items() if name != "fingerprint"}
        return {**rest, "accepted_at": {"S": "today"}} if "accepted_at" in item else rest

    others = [replace(each, items={key: changed(item) for key, item in each.items.items()}) for each in today]
    assert {each.partition(" [")[0] for each in lacking(shape_of(today), shape_of(others))} == {
        *(
            f"REQUEST {state}: {name}"
            for state in ("accepted", "settled", "announced")
            for name in ("accepted_at", "fingerprint")
        ),
        "EVENT: fingerprint",
    }


def test_the_recording_is_of_this_code(today: list[Moment]) -> None:
    known = shape_of(read(NEXT))
    assert lacking(shape_of(today), known) == [], "record again: python -m tests.simulation.moments"
    assert [asdict(each)["case"] for each in read(NEXT)] == [*CASES]
