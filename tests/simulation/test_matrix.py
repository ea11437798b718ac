"""A part of the matrix, chosen by a seed; ``make faults`` runs all of it."""

import functools
import random

import pytest

from tests.simulation.conftest import SEED
from tests.simulation.fault import Case, Fault, FaultKind, Position
from tests.simulation.matrix import CaseResult, critical, pairs, run, singles
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.system_under_test import CloseProvisioner

SINGLES, PAIRS = 8, 3
"""How many cases of each kind to take from each scenario: half a minute in all."""


@functools.cache
def fault_free(scenario: str) -> CaseResult:
    return run(Case(scenario), CloseProvisioner())


def sample(scenario: str) -> list[Case]:
    chosen = random.Random(f"{SEED} {scenario}")  # noqa: S311
    calls = fault_free(scenario).calls
    return chosen.sample([*singles(scenario, calls)], SINGLES) + chosen.sample([*pairs(scenario, calls)], PAIRS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_guarantee_holds_under_faults(scenario: str) -> None:
    for case in sample(scenario):
        result = run(case, CloseProvisioner())
        assert not result.violations, f"{case} (seed {SEED})\n{result.output}"
        assert result.fired[:1], f"no fault of {case} fired"
        assert len(case.faults) > 1 or len(result.fired) == 1


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_guarantee_holds_without_faults(scenario: str) -> None:
    assert not fault_free(scenario).violations


def test_a_crowd_settles_from_one_observation_also_under_faults() -> None:
    results = [run(case, CloseProvisioner()) for case in sample("crowd")]

    assert fault_free("crowd").remembered >= 4
    assert sum(each.remembered for each in results if each.fired) > 2 * len(results)


@pytest.mark.parametrize("position", Position)
def test_entries_of_a_batch_that_are_refused_are_published_one_by_one(position: Position) -> None:
    free = fault_free("crowd")
    [batch] = [call for call in free.calls if call.startswith("sns.PublishBatch ")]
    assert (FaultKind.PARTIAL, position) in {
        (each.faults[0].kind, each.faults[0].position) for each in singles("crowd", [batch])
    }

    result = run(Case("crowd", (Fault(FaultKind.PARTIAL, position, batch),)), CloseProvisioner())

    assert [each.call for each in result.fired] == [batch]
    assert not result.violations, result.output
    published = [call for call in result.calls if call.startswith("sns.Publish ")]
    assert published[:2] == ["sns.Publish of crowd-1#1", "sns.Publish of crowd-3#1"]
    assert len(published) == 2 + len([call for call in free.calls if call.startswith("sns.Publish ")])


def test_the_matrix_holds_every_dependency_and_every_kind() -> None:
    cases = [each.faults[0] for each in singles("queue create", fault_free("queue create").calls)]
    assert {fault.call.partition(".")[0] for fault in cases if not fault.call.startswith("clock")} == {
        "dynamodb",
        "secretsmanager",
        "close",
        "sns",
    }
    assert any(fault.call.startswith("clock ") for fault in cases)
    assert {fault.kind for fault in cases} == {*FaultKind} - {FaultKind.PARTIAL}, "one outcome is not a batch"


def test_the_critical_section_goes_from_the_tenants_organization_until_after_the_publish() -> None:
    calls = [call.partition("#")[0] for call in critical(fault_free("queue create").calls)]
    assert calls == [
        "dynamodb.GetItem TENANT",
        "close.GET me/ of acme",
        "dynamodb.UpdateItem TENANT",
        "dynamodb.GetItem TYPE",
        "dynamodb.GetItem ORGANIZATION",
        "dynamodb.UpdateItem TYPE",
        "close.GET custom_object_type/ of acme",
        "dynamodb.UpdateItem REQUEST",
        "dynamodb.GetItem TENANT",
        "close.POST custom_object_type/ of acme 'Account'",
        "dynamodb.TransactWriteItems REQUEST",
        "sns.Publish of one",
        "dynamodb.UpdateItem REQUEST",
    ]


def test_a_case_reads_as_it_is_written() -> None:
    faults = (
        Fault(FaultKind.KILL_UNDERWAY, Position.BEFORE, "close.POST x 'A b'#1"),
        Fault(FaultKind.LOST, Position.AFTER, "b#2"),
    )
    for case in (Case("api create", faults), Case("api create", faults[:1]), Case("api create")):
        assert Case.read(str(case)) == case


def test_the_same_case_runs_the_same_way() -> None:
    case = Case(
        "queue create", (Fault(FaultKind.KILL, Position.AFTER, "close.POST custom_object_type/ of acme 'Account'#1"),)
    )
    assert run(case, CloseProvisioner()).calls == run(case, CloseProvisioner()).calls
