"""Which request reports what as its own, when several were killed or lost their responses. Each case broke it once."""

from collections.abc import Sequence
from typing import Any

import pytest

from provisioner.contract.request import ProvisioningRequest
from tests.fakes import a_request
from tests.simulation.explorer import ACT, LAG, Choice, Exercise, Play
from tests.simulation.promises import violations
from tests.simulation.scripted import Strike, deliver_at, end_run, finish, run_until, strike
from tests.simulation.weather import DROP, GO, KILL, KILL_AFTER, LATE, LOSE

ONE, TWO, THREE = 0, 1, 2
SEATS = {"name": "Seats", "type": "number"}
SHARED = {"name": "Region", "type": "text", "shared": True}
CREATE, UPDATE, LIST = "POST custom_object_type/", "PUT custom_object_type/", "GET custom_object_type/"
ADD_FIELD, ASSOCIATE = "POST custom_field/custom_object_type", "POST custom_field/shared/cf"
SETTLE = "MemoryLedger.settle"
A_SHARED_FIELD = a_request("before", "Base", spec={"fields": [SHARED]})
THE_TYPE = a_request("type")


def request(number: str, if_exists: str, *fields: dict[str, Any], description: str = "") -> ProvisioningRequest:
    spec = {"fields": list(fields)} | ({"description": description} if description else {})
    return a_request(number, spec=spec, if_exists=if_exists)


def begun(requests: Sequence[ProvisioningRequest], *before: ProvisioningRequest, **further: Any) -> Play:
    budgets: dict[str, Any] = {"kills": 9, "losses": 9, "drops": 9, "delays": 9}
    return Play(Exercise("who created it", requests, **budgets, before=before, max_age=0, **further))


def results(play: Play, request: int) -> list[str]:
    """The result of the first type, and those of its fields."""
    outcome = play.actors[request].outcome
    assert outcome
    of_type = outcome.types[0]
    return [str(of_type.result), *(str(each.result) for each in of_type.fields)]


def test_a_dropped_association_is_not_taken_for_that_of_another_request() -> None:
    play = begun([request("1", "update", SHARED), request("2", "update", SHARED)], A_SHARED_FIELD, THE_TYPE)
    strike(play, Strike(ONE, ASSOCIATE, DROP))
    deliver_at(play, TWO, 125)
    strike(play, Strike(TWO, ASSOCIATE, KILL_AFTER))
    deliver_at(play, ONE, 225)
    finish(play, ONE)
    finish(play, TWO)

    assert results(play, ONE)[1] == "unchanged"
    assert [*violations(play)] == []


def test_a_creator_knows_its_association_when_a_request_without_it_observed_the_type() -> None:
    play = begun([request("1", "adopt", SHARED), request("2", "adopt")], A_SHARED_FIELD)
    strike(play, Strike(ONE, ASSOCIATE, KILL_AFTER))
    deliver_at(play, TWO, 250)
    finish(play, TWO)
    finish(play, ONE)

    assert results(play, ONE) == ["recovered", "recovered"]
    assert [*violations(play)] == []


def test_a_creator_knows_its_association_after_a_request_that_was_killed_before_the_type_existed() -> None:
    play = begun([request("1", "adopt", SHARED), request("2", "fail")], A_SHARED_FIELD)
    strike(play, Strike(TWO, LIST, KILL))
    deliver_at(play, ONE, 95)
    strike(play, Strike(ONE, SETTLE, KILL))
    deliver_at(play, ONE, 420)
    finish(play, ONE)
    finish(play, TWO)

    assert results(play, ONE) == ["recovered", "recovered"]
    assert [*violations(play)] == []


def test_a_creator_does_not_claim_the_association_of_a_killed_updater() -> None:
    requests = [request("1", "adopt", SHARED, SEATS), request("2", "update", SHARED), request("3", "adopt", SHARED)]
    play = begun(requests, A_SHARED_FIELD)
    strike(play, Strike(ONE, CREATE, KILL_AFTER))
    deliver_at(play, TWO, 95)
    strike(play, Strike(TWO, ASSOCIATE, KILL_AFTER))
    deliver_at(play, THREE, 500)
    for each in (THREE, ONE, TWO):
        finish(play, each)

    assert results(play, ONE) == ["recovered", "unchanged", "created"]
    assert [*violations(play)] == []


@pytest.mark.parametrize("seconds", [104, 110, 118])
def test_a_late_create_is_not_taken_for_that_of_a_request_that_cannot_have_sent_one(seconds: float) -> None:
    assert seconds < 2 * LAG
    play = begun([request("1", "adopt"), request("2", "adopt", description="two")])
    strike(play, Strike(ONE, CREATE, LATE))
    play.late[0] = play.late[0]._replace(until=play.began_at + seconds)
    deliver_at(play, TWO, 1)
    strike(play, Strike(TWO, LIST, KILL))
    deliver_at(play, TWO, 125)
    deliver_at(play, ONE, 126)
    finish(play, TWO)
    finish(play, ONE)

    assert results(play, ONE) == ["recovered"]
    assert [*violations(play)] == []


def test_an_association_does_not_outlive_its_type() -> None:
    requests = [request("1", "update", SHARED, SEATS), request("2", "update", SHARED)]
    play = begun(requests, A_SHARED_FIELD, acts=["delete the type"])
    strike(play, Strike(ONE, ADD_FIELD, DROP))
    deliver_at(play, ONE, 500)
    deliver_at(play, TWO, 130)
    play.clock.advance(100)
    play.move(Choice(ACT, "delete the type"))
    strike(play, Strike(TWO, ASSOCIATE, LOSE))
    finish(play, ONE)
    finish(play, TWO)

    assert results(play, TWO) == ["created", "recovered"]
    assert [*violations(play)] == []


def test_a_type_that_is_renamed_and_renamed_back_keeps_the_creator_of_its_fields() -> None:
    types = [
        {"name": "Account", "name_plural": "Accounts", "fields": [SEATS]},
        {"name": "Deal", "name_plural": "Deals"},
    ]
    content = {"tenant": "acme", "request_id": "1", "custom_object_types": types}
    acts = ["rename the type", "rename the type back"]
    play = begun([ProvisioningRequest.model_validate(content), request("2", "adopt", SEATS)], acts=acts)
    strike(play, Strike(ONE, ADD_FIELD, KILL_AFTER))
    deliver_at(play, TWO, 95)
    finish(play, TWO)
    play.move(Choice(ACT, acts[0]))
    deliver_at(play, ONE, 120)
    play.move(Choice(ONE, GO))
    end_run(play, ONE)
    play.move(Choice(ACT, acts[1]))
    finish(play, ONE)

    assert results(play, ONE) == ["recovered", "recovered"]
    assert [*violations(play)] == []


@pytest.mark.parametrize("if_exists", ["adopt", "fail"])
def test_the_creator_is_known_although_the_clock_of_close_is_behind(if_exists: str) -> None:
    play = begun([request("1", if_exists, description="one"), request("2", "update", description="two")])
    play.close.simulator.service.state.clock = lambda: play.clock() - 200
    strike(play, Strike(ONE, CREATE, LOSE))
    deliver_at(play, ONE, 300)
    deliver_at(play, TWO, 10)
    finish(play, TWO)
    finish(play, ONE)

    assert results(play, ONE) == ["recovered"]
    assert [*violations(play)] == []


def test_a_type_without_a_date_is_that_of_the_request_that_can_have_sent_it() -> None:
    play = begun([request("1", "adopt", description="one"), request("2", "adopt", description="one")])
    strike(play, Strike(ONE, CREATE, KILL_AFTER))
    play.close.change(play.close.existing[0].id, date_created=None)
    deliver_at(play, TWO, 95)
    strike(play, Strike(TWO, LIST, KILL))
    deliver_at(play, TWO, 200)
    finish(play, TWO)
    finish(play, ONE)

    assert results(play, ONE) == ["recovered"]
    assert [*violations(play)] == []


def test_a_type_that_a_person_creates_long_after_a_kill_is_not_the_killed_requests() -> None:
    play = begun([request("1", "adopt", SEATS)])
    strike(play, Strike(ONE, LIST, KILL))
    play.clock.advance(600)
    play.close.add("Account", name_plural="Accounts")
    play.clock.advance(30)
    finish(play, ONE)

    assert results(play, ONE) == ["adopted", "missing"]


def test_a_type_that_was_observed_before_the_request_was_sent_is_not_its_own() -> None:
    play = begun([request("1", "adopt"), request("2", "adopt")])
    play.close.add("Account", name_plural="Accounts")
    finish(play, TWO)
    deliver_at(play, ONE, 60)
    strike(play, Strike(ONE, LIST, KILL))
    finish(play, ONE)

    assert results(play, ONE) == ["unchanged"]


def test_a_field_is_not_created_twice_by_workers_whose_clocks_differ() -> None:
    ahead = 15.0
    play = begun([request("1", "update", SEATS), request("2", "update", SEATS)], THE_TYPE, list_lag=50)
    finish(play, ONE)
    play.close.simulator.service.state.clock = lambda: play.clock() - ahead
    play.clock.advance(1 + ahead)
    play.actors[TWO].ready_at = play.clock()
    run_until(play, TWO, LIST)
    finish(play, TWO)

    assert results(play, TWO) == ["unchanged", "unchanged"]
    assert [*violations(play)] == []


@pytest.mark.parametrize(("killed_at", "fields"), [(UPDATE, ()), (ADD_FIELD, (SEATS,)), (ASSOCIATE, (SHARED,))])
def test_a_request_with_a_plan_goes_on_with_it_after_a_kill(killed_at: str, fields: tuple[dict[str, Any], ...]) -> None:
    asked = request("1", "update", *fields, description="new")
    play = begun([asked], A_SHARED_FIELD, THE_TYPE)
    digest = play.provisioner(play.ledger, play.topic).plan(asked, play.close.open()).digest
    play.actors[ONE].request = asked.model_copy(update={"plan_digest": digest})
    strike(play, Strike(ONE, killed_at, KILL_AFTER))
    deliver_at(play, ONE, 400)
    finish(play, ONE)

    assert results(play, ONE)[0] in {"updated", "unchanged"}
    assert "missing" not in results(play, ONE)
    assert [*violations(play)] == []


def test_an_adopted_type_is_not_updated_by_a_shared_field_of_another_one() -> None:
    account, deal = ({"name": each, "name_plural": f"{each}s", "fields": [SHARED]} for each in ("Account", "Deal"))
    types = [account, {**deal, "fields": [SHARED, SEATS]}]
    both = {"tenant": "acme", "request_id": "1", "custom_object_types": types}
    other = {"tenant": "acme", "request_id": "2", "if_exists": "update", "custom_object_types": [deal]}
    play = begun([ProvisioningRequest.model_validate(each) for each in (both, other)])
    strike(play, Strike(ONE, ASSOCIATE, LOSE))
    deliver_at(play, ONE, 500)
    deliver_at(play, TWO, 130)
    finish(play, TWO)
    finish(play, ONE)

    outcome = play.actors[ONE].outcome
    assert outcome
    assert [str(each.result) for each in outcome.types] == ["created", "adopted"]
    assert [*violations(play)] == []
