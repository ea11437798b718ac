"""A part of the orders in which the calls of several requests may happen; ``make faults`` plays more of them."""

import os
from typing import Any

import pytest

from provisioner.ledger.lease import ResourceRecord
from provisioner.reconcile import attribution, look_alikes, safety
from provisioner.reconcile.planner import _TypePlanner
from tests.simulation.explorer import Exercise, explore
from tests.simulation.interleavings import scenarios

ORDERS = 20
SEED = os.environ.get("FAULTS_SEED", "once")
SCENARIOS = {each.name: each for each in scenarios()}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_order_keeps_every_promise(scenario: Exercise) -> None:
    found = explore(scenario, ORDERS, SEED)

    assert not found.violations, f"seed {SEED}\n" + "\n".join(found.violations)
    assert found.whole or found.plays == ORDERS


def test_two_requests_are_explored_whole_and_each_of_them_may_create() -> None:
    found = explore(SCENARIOS["two requests"])

    assert found.whole
    assert {"1 created", "1 unchanged", "2 created", "2 unchanged"} == set(found.results)


class TestTheExplorerFinds:
    """Each guard of a guarantee is taken out: then some order breaks a promise, and the explorer has to find it."""

    def broken(self, name: str, orders: int = 3_000) -> str:
        found = explore(SCENARIOS[name], orders, "guards")
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
            in_doubt = record.in_doubt_about(operation)
            own = [each for each in in_doubt if each.request == self.claimant.record.id]
            return next(iter([*own, *in_doubt]), None)

        monkeypatch.setattr(attribution._Attribution, "_create", mine)
        monkeypatch.setattr(attribution._Attribution, "_may_be_ours", lambda *_: True)

        assert "says of" in self.broken("adopt and adopt, a kill and a loss")
