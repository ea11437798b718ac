"""A part of the orders in which the calls of several requests may happen; ``make faults`` plays more of them."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from provisioner.close import responses
from provisioner.close.list_cache import Organization
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.ledger import in_doubt
from provisioner.ledger.in_doubt import InDoubt
from provisioner.ledger.lease import Provenance, ResourceRecord, Seen
from provisioner.reconcile import apply, attribution, look_alikes, observe, safety
from provisioner.reconcile.observe import Observer
from provisioner.reconcile.planner import _TypePlanner
from provisioner.reconcile.tenancy import Tenancy
from tests.simulation.explorer import Exercise, explore
from tests.simulation.interleavings import in_all_weathers, scenarios
from tests.simulation.weather import ACTS, BUDGETS, COSTS, INGREDIENTS, OPERATORS, with_ingredients

ORDERS = 20
IN_WEATHER = 3
SEED = os.environ.get("FAULTS_SEED", "once")
SCENARIOS = {each.name: each for each in scenarios()}
WEATHERS = {each.name: each for each in in_all_weathers(SEED, each=1)}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_order_keeps_every_promise(scenario: Exercise) -> None:
    found = explore(scenario, ORDERS, SEED)

    assert not found.violations, f"seed {SEED}\n" + "\n".join(found.violations)
    assert found.whole or found.plays == ORDERS


@pytest.mark.parametrize("scenario", WEATHERS.values(), ids=WEATHERS)
def test_every_weather_keeps_every_promise(scenario: Exercise) -> None:
    found = explore(scenario, IN_WEATHER, SEED)

    assert not found.violations, f"seed {SEED}\n" + "\n".join(found.violations)


def test_two_requests_are_explored_whole_and_each_of_them_may_create() -> None:
    found = explore(SCENARIOS["two requests"])

    assert found.whole
    assert {"1 created", "1 unchanged", "2 created", "2 unchanged"} == set(found.results)


@pytest.mark.parametrize("ingredient", INGREDIENTS)
def test_every_ingredient_happens(ingredient: str) -> None:
    name = "two shared fields alike, a kill and a loss" if "shared field" in ingredient else "update and update"
    before = {"store the right key": "swap the key", "rename the type back": "rename the type", "repeats": "drops"}
    chosen = [each for each in (ingredient, before.get(ingredient)) if each]
    scenario = with_ingredients(SCENARIOS[name], chosen, 15)

    assert explore(scenario, 60, SEED).fired[ingredient]


def test_every_fault_has_its_budget_and_every_act_a_name() -> None:
    assert {each for costs in COSTS.values() for each in costs} == set(BUDGETS) - {"repeats"}
    assert OPERATORS.keys() <= ACTS.keys() <= set(INGREDIENTS)


@pytest.mark.parametrize("name", ["a crowd, a kill", "a crowd, a loss"])
def test_a_crowd_settles_from_one_observation_also_under_faults(name: str) -> None:
    assert explore(SCENARIOS[name], 150, SEED).remembered["under faults"] > 10


class TestTheExplorerFinds:
    """Each guard of a guarantee is taken out: then some order breaks a promise, and the explorer has to find it."""

    def broken(self, scenario: str | Exercise, orders: int = 3_000) -> str:
        found = explore(SCENARIOS[scenario] if isinstance(scenario, str) else scenario, orders, "guards")
        assert found.violations, f"{found} found nothing"
        return found.violations[0]

    def test_hole_3_a_renamed_type_that_is_written_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_TypePlanner, "is_renamed", False)

        assert "creates of 'seats'" in self.broken("two names, the type renamed from one to the other")

    def test_hole_3_a_renamed_field_that_is_not_known_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(safety, "_check_look_alikes", lambda *_: None)

        assert "creates of 'seats'" in self.broken("adopt and update, a kill, the field renamed")

    def test_hole_3_a_type_renamed_while_its_create_is_in_doubt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(look_alikes.Search, "conclusions", lambda _: look_alikes.Conclusions())

        assert "creates of 'account'" in self.broken("adopt and adopt, a loss, the type renamed")

    def test_hole_4_a_create_that_every_observer_claims(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def mine(self: Any, record: ResourceRecord, operation: str, _: Any) -> Any:
            entries = record.in_doubt_about(operation)
            own = [each for each in entries if each.request == self.claimant.record.id]
            return next(iter([*own, *entries]), None)

        monkeypatch.setattr(attribution._Attribution, "_create", mine)
        monkeypatch.setattr(attribution._Attribution, "_may_be_ours", lambda *_: True)

        assert "says of" in self.broken("adopt and adopt, a kill and a loss")

    def test_an_update_of_a_killed_holder_that_hides_who_created_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(attribution._Attribution, "_with_possible_update", lambda _, record, *__: record)

        assert "adopted, and created it itself" in self.broken("one type described otherwise, two kills")

    def test_a_person_who_hides_who_created_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(attribution, "is_edited", lambda _: False)

        assert "adopted, and created it itself" in self.broken("one type, a kill, described by a person")

    def test_a_create_that_was_sent_and_is_forgotten_when_another_request_observes_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attributed = attribution._Attribution._attributed

        def observed(*given: Any) -> Any:
            return attributed(*given)._replace(how=Provenance.OBSERVED)

        monkeypatch.setattr(attribution._Attribution, "_attributed", observed)

        assert "and created it itself" in self.broken("one type, a loss, observed, described by a person")

    def test_a_type_of_another_request_that_is_taken_for_a_renamed_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(look_alikes._PossibleCreate, "rules_out", lambda *_: False)
        monkeypatch.setattr(look_alikes.Search, "_explanation", lambda *_: (False, 0))

        assert "and it was not" in self.broken("two types alike, a kill and a drop")

    def test_a_field_of_a_killed_request_that_requests_for_others_forget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(look_alikes.Search, "_undecided", lambda *_: frozenset())

        assert "seats" in self.broken("two fields alike, a kill, one renamed").casefold()

    def test_a_late_create_that_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(in_doubt, "ABSENCE_LAGS", 1)

        assert "creates of 'account'" in self.broken(with_ingredients(SCENARIOS["two requests"], ["delays"]))

    def test_a_late_create_of_a_killed_run_that_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(in_doubt, "ABSENCE_LAGS", 1)
        scenario = with_ingredients(SCENARIOS["two requests, a kill"], ["delays"])

        assert "creates of 'account'" in self.broken(replace(scenario, name="killed", losses=0))

    def test_a_dropped_create_that_counts_as_created(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(attribution, "DATED_LAGS", 1_000)

        assert "says of" in self.broken(with_ingredients(SCENARIOS["two requests, a loss"], ["drops"]))

    def test_a_list_that_lags(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Observer, "_not_yet_visible", lambda *_: [])

        monkeypatch.setattr(Observer, "_fetch_unlisted", lambda *_: [])

        assert "creates of 'account'" in self.broken(with_ingredients(SCENARIOS["two requests"], ["list lag"], 50))

    def test_a_list_that_lags_behind_a_clock_that_is_ahead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def after_one_lag(writes: list[InDoubt], now: float, lag: float) -> float | None:
            ends = [each.since + lag for each in writes if each.since + lag > now]
            return max(ends, default=None)

        monkeypatch.setattr(observe, "next_observation", after_one_lag)
        clocks = (-5, -5, -5, 9, 9, 9)
        scenario = with_ingredients(SCENARIOS["update and update"], ["list lag", "clocks apart"], 50, clocks)

        the_type = SCENARIOS["three requests"].requests[2:]

        assert "creates of 'seats'" in self.broken(replace(scenario, before=the_type, max_age=0))

    def test_a_408_that_counts_as_final(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original: Callable[..., Any] = responses._rejection

        def final(method: str, response: Any, secret: str) -> Any:
            if response.status == 408:
                return Rejected(ProblemType.SPEC_REJECTED, "timeout", close_status=408)
            return original(method, response, secret)

        monkeypatch.setattr(responses, "_rejection", final)

        assert "failed" in self.broken(with_ingredients(SCENARIOS["two requests"], ["timeouts"]))

    def test_an_observation_that_counts_while_its_holder_may_write(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def seen(self: ResourceRecord, fingerprint: str, since: float) -> Seen | None:
            found = self.observations.get(fingerprint)
            return found if found and found.at > since else None

        monkeypatch.setattr(ResourceRecord, "seen", seen)

        assert "was sent after PUT" in self.broken("observed, then described otherwise, a kill")

    def test_an_observation_that_counts_after_a_holder_died(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ResourceRecord, "leased", ResourceRecord.pruned)
        scenario = "observed, then described otherwise, a kill, then all is certain"

        assert "was sent after PUT" in self.broken(scenario)

    def test_an_observation_that_is_too_old(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def seen(self: ResourceRecord, fingerprint: str, _: float) -> Seen | None:
            return self.observations.get(fingerprint) if self.is_certain else None

        monkeypatch.setattr(ResourceRecord, "seen", seen)

        assert "is unchanged, which is not true" in self.broken("observed, then describe the type")

    def test_an_observation_before_a_late_update(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ResourceRecord, "last_written_at", 0)
        scenario = "observed, then described otherwise, a late update, then observed again"

        assert "was sent after PUT" in self.broken(scenario)

    def test_a_late_update_that_undoes_a_newer_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(apply, "check_update", lambda *_: None)

        assert "2 was the last one" in self.broken("two orders of fields, a late update")

    def test_two_tenants_with_leases_of_their_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bind = Tenancy.bind

        def of_tenant(self: Tenancy, record: Any, request: Any, organization: Any) -> str:
            bind(self, record, request, organization)
            return str(request.tenant)

        monkeypatch.setattr(Tenancy, "bind", of_tenant)
        monkeypatch.setattr(Tenancy, "confirm", lambda *_: None)

        assert "creates of 'account'" in self.broken(with_ingredients(SCENARIOS["two requests"], ["two tenants"]))

    def test_a_key_of_another_organization(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Organization, "_verify_listed", lambda _: None)
        scenario = with_ingredients(SCENARIOS["two requests"], ["swap the key"])

        assert "the tenant was not moved" in self.broken(scenario)

    def test_a_tenant_that_is_moved_while_its_request_runs_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Tenancy, "confirm", lambda *_: None)

        assert "1 created in" in self.broken("one request twice, the tenant moved")
