"""A crowd wants one type: one request observes Close, and the others settle from what it observed."""

from dataclasses import replace
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.outcome import Outcome
from provisioner.ledger.lease import MAX_OBSERVATIONS
from provisioner.reconcile import memory
from provisioner.reconcile.plan import type_resource
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.retries import Deferred
from tests.close import ID, KILLED, LOST, LOST_BEFORE, Killed
from tests.fakes import MemoryWorld, a_request, kind_of

MAX_AGE = 60
LEASE_SECONDS = 90
FIELDS = {"fields": [{"name": "Seats", "type": "number"}, {"name": "Plan", "type": "text", "shared": True}]}
ACCOUNT = type_resource(ID, "account")


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(list_lag=60, observation_max_age=MAX_AGE)


def settled(world: MemoryWorld, request_id: str, **further: Any) -> Outcome:
    return world.settle(a_request(request_id, **further), runs=1)[0]


def described(text: str) -> dict[str, Any]:
    return {"if_exists": "update", "spec": {"description": text}}


def calls(world: MemoryWorld) -> int:
    return len(world.close.requests)


def as_told(outcome: Outcome) -> dict[str, Any]:
    """The part of the outcome that is about Close."""
    own = {"request_id", "attempts", "settled_at", "observed_at"}
    return {key: value for key, value in outcome.as_json().items() if key not in own}


@pytest.mark.parametrize("spec", [{}, FIELDS, {"description": "New"}])
def test_the_second_request_says_the_same_without_a_call(world: MemoryWorld, spec: dict[str, Any]) -> None:
    world.close.add("Account", name_plural="Accounts", description="Old")
    looked = settled(world, "1", spec=spec)
    before = calls(world)
    world.clock.advance(MAX_AGE - 1)

    told = settled(world, "2", spec=spec)

    assert calls(world) == before
    assert as_told(told) == as_told(looked)
    assert (looked.observed_at, told.observed_at) == (None, "2027-01-15T08:00:00+00:00")
    assert (told.request_id, told.settled_at) == ("2", "2027-01-15T08:00:59+00:00")


def test_what_a_request_created_is_unchanged_for_the_others(world: MemoryWorld) -> None:
    created = settled(world, "1", spec=FIELDS)
    before = calls(world)

    told = settled(world, "2", spec=FIELDS)

    assert (created.result, told.result, calls(world)) == ("created", "unchanged", before)
    assert [each.id for each in told.types[0].fields] == [each.id for each in created.types[0].fields]
    assert {each.result for each in told.types[0].fields} == {"unchanged"}
    world.clock.advance(MAX_AGE + 1)
    looked = settled(world, "3", spec=FIELDS)
    assert (as_told(looked), looked.observed_at) == (as_told(told), None)


def test_a_type_that_must_not_exist_fails_the_others(world: MemoryWorld) -> None:
    first = settled(world, "1", if_exists="fail")
    before = calls(world)

    others = [settled(world, number, if_exists="fail") for number in ("2", "3")]

    assert first.result == "created"
    assert [kind_of(each) for each in others] == ["type-exists"] * 2
    assert all(each.observed_at for each in others)
    assert calls(world) == before


class TestItLooks:
    def test_after_the_longest_age(self, world: MemoryWorld) -> None:
        world.close.add("Account", name_plural="Accounts")
        settled(world, "1")
        world.close.delete_all()
        world.clock.advance(MAX_AGE)

        assert world.settle(a_request("2"))[0].result == "created"

    def test_always_if_the_age_is_0(self) -> None:
        world = MemoryWorld(observation_max_age=0)
        settled(world, "1")
        world.close.lag = 0
        before = calls(world)
        settled(world, "2")

        assert calls(world) > before
        assert not world.ledger.read(ACCOUNT).observations

    @pytest.mark.parametrize(
        "other", [{"if_exists": "update"}, {"spec": FIELDS}, {"tenant": "initech"}, {"allow_partial": True}]
    )
    def test_if_another_state_is_desired(self, world: MemoryWorld, other: dict[str, Any]) -> None:
        world.close.add("Account", name_plural="Accounts")
        settled(world, "1")
        before = calls(world)
        settled(world, "2", **other)

        assert calls(world) > before

    def test_after_a_write_of_this_service(self, world: MemoryWorld) -> None:
        """A caller that wants the old description back gets it back."""
        world.close.add("Account", name_plural="Accounts", description="One")
        one, two = (described(each) for each in ("One", "Two"))
        assert [settled(world, "1", **one).result, settled(world, "2", **two).result] == ["unchanged", "updated"]

        assert settled(world, "3", **one).result == "updated"
        assert world.close.existing[0].value("description") == "One"

    def test_if_another_run_of_the_request_began_to_write(self, world: MemoryWorld) -> None:
        """Its outcome would deny what that run writes."""
        world.close.add("Account", name_plural="Accounts")
        world.ledger.begin(world.ledger.accept(a_request("2")))
        settled(world, "1")
        before = calls(world)

        assert settled(world, "2").observed_at is None
        assert calls(world) > before

    def test_if_a_person_retries(self, world: MemoryWorld) -> None:
        """Perhaps that person just deleted the type that was in the way."""
        settled(world, "1", if_exists="fail")
        before = calls(world)
        request = a_request("2", if_exists="fail")
        record = replace(world.ledger.accept(request), is_retry=True)
        world.provisioner.reconcile(Job(record, request, world.organization()))

        assert calls(world) > before

    def test_while_a_create_is_in_doubt(self, world: MemoryWorld) -> None:
        world.close.add("Account", name_plural="Accounts")
        settled(world, "1")
        world.close.faults = [LOST]
        world.reconcile(a_request("2", if_exists="update", spec=FIELDS))
        before = calls(world)

        world.reconcile(a_request("3"))

        assert calls(world) > before

    def test_if_it_was_observed_while_a_create_was_in_doubt(self, world: MemoryWorld) -> None:
        """That create may land later, and another request may then find its result."""
        world.close.add("Account", name_plural="Accounts")
        world.close.faults = [LOST_BEFORE]
        world.reconcile(a_request("1", if_exists="update", spec=FIELDS))

        assert settled(world, "2").result == "unchanged"
        assert not world.ledger.read(ACCOUNT).observations

    def test_after_a_holder_died(self, world: MemoryWorld) -> None:
        world.close.add("Account", name_plural="Accounts", description="One")
        one, two = (described(each) for each in ("One", "Two"))
        settled(world, "1", **one)
        world.close.faults = [KILLED]
        with pytest.raises(Killed):
            world.reconcile(a_request("2", **two))
        world.clock.advance(LEASE_SECONDS + 2 * world.list_lag + 1)
        world.provisioner = world.provisioner_of(observation_max_age=900)
        settled(world, "3", if_exists="adopt")
        assert world.ledger.read(ACCOUNT).is_certain

        assert settled(world, "4", **one).result == "updated"

    def test_while_a_holder_that_wrote_may_be_alive(self, world: MemoryWorld) -> None:
        world.close.add("Account", name_plural="Accounts", description="One")
        one, two = (described(each) for each in ("One", "Two"))
        settled(world, "1", **one)
        world.close.faults = [KILLED]
        with pytest.raises(Killed):
            world.reconcile(a_request("2", **two))

        assert isinstance(world.reconcile(a_request("3", **one)), Deferred)

    def test_if_it_has_the_digest_of_a_plan(self, world: MemoryWorld) -> None:
        world.close.add("Account", name_plural="Accounts")
        settled(world, "1")
        digest = world.provisioner.plan(a_request("2"), world.organization()).digest
        before = calls(world)
        settled(world, "2", plan_digest=digest)

        assert calls(world) > before


def test_a_batchs_old_list_is_not_remembered_as_new(world: MemoryWorld) -> None:
    """Another worker wrote after this one had read the lists."""
    world.close.add("Account", name_plural="Accounts", description="One")
    batch = world.organization()
    world.reconcile(a_request("1"), batch)
    world.clock.advance(1)
    settled(world, "2", if_exists="update", spec={"description": "Two"})
    world.clock.advance(1)
    adopted: dict[str, Any] = {"spec": {"description": "Two"}}
    world.reconcile(a_request("3", **adopted), batch)

    assert settled(world, "4", **adopted).result == "unchanged"


def test_few_observations_are_remembered_side_by_side(world: MemoryWorld) -> None:
    world.close.add("Account", name_plural="Accounts")
    for number in range(2 * MAX_OBSERVATIONS):
        world.clock.advance(1)
        settled(world, f"{number}", spec={"description": f"{number}"})
    before = calls(world)

    kept = world.ledger.read(ACCOUNT).observations
    assert len(kept) == MAX_OBSERVATIONS
    settled(world, "again", spec={"description": f"{2 * MAX_OBSERVATIONS - 1}"})
    settled(world, "and-again", spec={"description": f"{MAX_OBSERVATIONS}"})
    assert calls(world) == before
    world.clock.advance(MAX_AGE)
    settled(world, "later")
    assert len(world.ledger.read(ACCOUNT).observations) == 1


def test_a_new_request_is_answered_only_for_the_organization_of_the_tenant(world: MemoryWorld) -> None:
    assert world.provisioner.memory.answer(a_request("2"), world.organization()) is None
    settled(world, "1")
    answer = world.provisioner.memory.answer(a_request("2"), world.organization())
    assert answer
    assert (answer.request_id, answer.result, answer.attempts) == ("2", "unchanged", 1)

    rejected = world.organization(Rejected(ProblemType.TENANT_NOT_FOUND, "It has none."))
    assert world.provisioner.memory.answer(a_request("2"), rejected) is None
    assert world.provisioner.memory.answer(a_request("2", tenant="initech"), world.organization()) is None


def test_a_very_large_answer_is_not_remembered(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_ANSWER_BYTES", 100)
    settled(world, "1")

    assert not world.ledger.read(ACCOUNT).observations


def test_several_types_settle_only_from_one_observation_of_all(world: MemoryWorld) -> None:
    types = [{"name": name, "name_plural": f"{name}s"} for name in ("Account", "Deal")]
    both = {"custom_object_type": None, "custom_object_types": types}
    assert settled(world, "1", **both).result == "created"
    before = calls(world)
    assert (settled(world, "2", **both).result, calls(world)) == ("unchanged", before)

    world.close.lag = 0
    settled(world, "3", name="Deal", if_exists="update", spec={"description": "New"})
    before = calls(world)
    assert settled(world, "4", **both).observed_at is None
    assert calls(world) > before
