"""The order of a type's fields, of its own and of shared ones."""

from tests.fakes import a_request
from tests.simulation.explorer import Exercise, Play
from tests.simulation.promises import violations
from tests.simulation.scripted import finish


def test_a_new_field_comes_after_a_shared_one_that_was_there() -> None:
    """Close lists shared fields after the type's own ones, until they are put in order."""
    region, seats = {"name": "Region", "type": "text", "shared": True}, {"name": "Seats", "type": "number"}
    before = a_request("before", "Base", spec={"fields": [region]})
    requests = [
        a_request(each, spec={"fields": fields}, if_exists="update")
        for each, fields in (("1", [region]), ("2", [region, seats]))
    ]
    play = Play(Exercise("order", requests, before=[before]))
    finish(play, 0)
    play.clock.advance(200)
    finish(play, 1)

    assert [*violations(play)] == []
