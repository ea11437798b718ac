"""Updates that Close executes late: they may undo what came between."""

from dataclasses import replace

import pytest

from tests.fakes import a_request
from tests.simulation.explorer import EXECUTE, Choice, Exercise, Play
from tests.simulation.interleavings import extended_choices, late_updates
from tests.simulation.promises import violations
from tests.simulation.scripted import end_run, finish, run_until
from tests.simulation.weather import KILL_LATE, LATE

FIRST, SECOND, DESCRIBING = 0, 1, 2
UPDATE = "PUT custom_field/custom_object_type"
LEASED_SECONDS = 80
"""As long as a function may run, and less than a lease lasts."""


def played(
    exercise: Exercise, fault: str, *, then: tuple[int, ...], sent_after: float = 0, update: str = UPDATE
) -> Play:
    """Strike the first request's update, then let the others run to their ends, one after the other."""
    play = Play(exercise)
    run_until(play, FIRST, update)
    play.clock.advance(sent_after)
    play.move(Choice(FIRST, fault))
    end_run(play, FIRST)
    for number in then:
        finish(play, number)
    while play.late:
        play.move(Choice(EXECUTE, str(play.late[0].number)))
    return play


@pytest.fixture
def exercise() -> Exercise:
    [found] = [each for each in extended_choices() if each.delays]
    return replace(found, kills=1)


def choices(play: Play) -> set[str]:
    [plan] = [each for each in play.close.fields if each.name == "Plan"]
    return set(plan.choices or ())


@pytest.mark.parametrize(("fault", "sent_after"), [(LATE, 0), (KILL_LATE, 0), (KILL_LATE, LEASED_SECONDS)])
def test_a_late_update_does_not_undo_the_choices_of_another_request(
    exercise: Exercise, fault: str, sent_after: float
) -> None:
    play = played(exercise, fault, then=(SECOND, FIRST), sent_after=sent_after)

    assert [*violations(play)] == []
    assert choices(play) == {"Basic", "Team", "Pro"}


def test_an_update_of_something_else_does_not_make_the_late_one_forgotten(exercise: Exercise) -> None:
    plan = {"name": "Plan", "type": "choices", "choices": ["Basic"], "description": "what they pay"}
    describing = a_request("3", spec={"fields": [plan]}, if_exists="update")
    play = played(replace(exercise, requests=[*exercise.requests, describing]), LATE, then=(DESCRIBING, SECOND, FIRST))

    assert [*violations(play)] == []
    assert choices(play) == {"Basic", "Team", "Pro"}


@pytest.mark.parametrize("fault", [LATE, KILL_LATE])
@pytest.mark.parametrize("exercise", [*late_updates()], ids=lambda each: each.name)
def test_a_late_update_does_not_undo_that_of_a_request_which_was_sent_when_the_first_was_settled(
    exercise: Exercise, fault: str
) -> None:
    first = "custom_field_schema" if "orders" in exercise.name else "custom_object_type"
    play = played(replace(exercise, kills=1), fault, then=(FIRST, SECOND), update=f"PUT {first}")

    assert play.actors[FIRST].settled <= play.actors[SECOND].sent
    assert [*violations(play)] == []
