"""Plays by a script: which call a fault strikes, and when each message is delivered again."""

from typing import NamedTuple

from tests.simulation.explorer import Choice, Play
from tests.simulation.weather import GO


class Strike(NamedTuple):
    """A request runs until it is about to make this call, which the fault strikes."""

    request: int
    call: str
    fault: str


def strike(play: Play, strike: Strike) -> None:
    """Play the strike, and the run to its end. Raise ``AssertionError`` if the request makes no such call."""
    run_until(play, strike.request, strike.call)
    play.move(Choice(strike.request, strike.fault))
    end_run(play, strike.request)


def run_until(play: Play, request: int, call: str) -> None:
    """Let the request run until it is about to make a call that begins with this."""
    actor = play.actors[request]
    play.move(Choice(request, GO))
    while not (actor.call or "").startswith(call):
        assert actor.is_running or actor.outcome is None, f"it was settled without {call}: {play.log}"
        play.move(Choice(request, GO))


def end_run(play: Play, request: int) -> None:
    """Let the present run of the request go on to its end."""
    while play.actors[request].is_running:
        play.move(Choice(request, GO))


def finish(play: Play, request: int) -> None:
    """Let the request run as often as it takes to settle."""
    while not play.actors[request].is_finished:
        play.move(Choice(request, GO))


def deliver_at(play: Play, request: int, seconds: float) -> None:
    """Deliver the message of the request again these seconds after the first request was sent."""
    play.actors[request].ready_at = play.began_at + seconds
