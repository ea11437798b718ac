"""A request that was killed, or lost its response, reports what it created, also when that was changed since."""

from collections.abc import Sequence

import pytest

from provisioner.contract.request import ProvisioningRequest
from tests.fakes import a_request
from tests.simulation.explorer import ACT, Choice, Exercise, Play
from tests.simulation.promises import violations
from tests.simulation.scripted import Strike, finish, strike
from tests.simulation.weather import KILL, KILL_AFTER, LOSE

CREATOR, UPDATER, OBSERVER = 0, 1, 2
TYPE = ("POST custom_object_type/", "PUT custom_object_type/")
FIELD = ("POST custom_field/custom_object_type/", "PUT custom_field/custom_object_type/")
DESCRIBE = "describe the type"


def described(request_id: str, if_exists: str, *, with_field: bool) -> ProvisioningRequest:
    text = f"By {request_id}"
    field = {"name": "Seats", "type": "number", "description": text}
    return a_request(request_id, spec={"fields": [field]} if with_field else {"description": text}, if_exists=if_exists)


def played(
    requests: Sequence[ProvisioningRequest], steps: Sequence[Strike | int | str], *, dates_changes: bool
) -> Play:
    """Strike, let a request run to its end (an index), or let a person act (a name)."""
    play = Play(Exercise("changed since", requests, kills=2, losses=1, acts=[DESCRIBE], dates_changes=dates_changes))
    for step in steps:
        if isinstance(step, str):
            play.move(Choice(ACT, step))
        elif isinstance(step, int):
            finish(play, step)
        else:
            strike(play, step)
    return play


def result(play: Play) -> str:
    outcome = play.actors[CREATOR].outcome
    assert outcome
    return str(outcome.result)


@pytest.mark.parametrize("calls", [TYPE, FIELD], ids=["type", "field"])
@pytest.mark.parametrize("fault", [KILL_AFTER, LOSE])
@pytest.mark.parametrize("observed", ["never", "before", "after"])
def test_an_updater_that_was_killed_does_not_hide_who_created_it(
    calls: tuple[str, str], fault: str, observed: str
) -> None:
    is_field = calls is FIELD
    modes = ("update" if is_field else "adopt", "update", "adopt")
    requests = [described(str(number), mode, with_field=is_field) for number, mode in enumerate(modes, 1)]
    create, update = calls
    struck: list[Strike | int | str] = [Strike(CREATOR, create, fault), Strike(UPDATER, update, KILL_AFTER)]
    if observed != "never":
        struck.insert(1 if observed == "before" else 2, OBSERVER)

    play = played(requests, [*struck, CREATOR, UPDATER, OBSERVER], dates_changes=False)

    assert play.fired["kills"] == 2 if fault == KILL_AFTER else play.fired["kills"] == play.fired["losses"] == 1
    assert [*violations(play)] == []


@pytest.mark.parametrize("fault", [KILL_AFTER, LOSE])
@pytest.mark.parametrize("is_observed", [False, True])
def test_a_person_who_describes_it_does_not_hide_who_created_it(fault: str, *, is_observed: bool) -> None:
    requests = [described(each, "adopt", with_field=False) for each in ("1", "2")]
    observers = [1] if is_observed else []

    play = played(requests, [Strike(CREATOR, TYPE[0], fault), *observers, DESCRIBE, CREATOR, 1], dates_changes=True)

    assert play.fired[DESCRIBE]
    assert result(play) == "recovered"
    assert [*violations(play)] == []


def test_a_killed_holder_does_not_hide_who_updated_it() -> None:
    modes = ("adopt", "update", "adopt", "adopt")
    requests = [described(str(number), mode, with_field=False) for number, mode in enumerate(modes, 1)]
    create, update = TYPE
    killed, last = 2, 3

    steps = [Strike(CREATOR, create, KILL_AFTER), Strike(UPDATER, update, LOSE), Strike(killed, "GET", KILL)]
    play = played(requests, [*steps, last, UPDATER, CREATOR, killed], dates_changes=False)

    assert play.fired["kills"] == 2
    assert result(play) == "recovered"
    updated = play.actors[UPDATER].outcome
    assert updated
    assert updated.result == "updated"
    assert [*violations(play)] == []


@pytest.mark.parametrize("dates_changes", [False, True])
def test_what_another_system_made_before_is_not_the_killed_requests(*, dates_changes: bool) -> None:
    requests = [described(each, mode, with_field=False) for each, mode in (("1", "adopt"), ("2", "update"))]
    play = Play(Exercise("made before", requests, kills=2, dates_changes=dates_changes))
    found = play.close.add("Account", description="Theirs")
    play.clock.advance(15)
    play.close.change(found.id, description="Theirs, again")
    for each in play.actors:
        each.ready_at = play.clock()

    strike(play, Strike(CREATOR, "GET custom_object_type/", KILL))
    strike(play, Strike(UPDATER, "PUT custom_object_type/", KILL_AFTER))
    finish(play, CREATOR)

    assert play.fired["kills"] == 2
    assert result(play) == "adopted"
