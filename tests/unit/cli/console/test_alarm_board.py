"""The alarms are asked for beside the pages, once a minute, and say why they are not known."""

from close_provisioner.client.alarms import Alarm
from close_provisioner.console.alarm_board import FRESH_SECONDS, AlarmBoard
from close_provisioner.errors import NotAllowed
from tests.fakes import Clock

ON = Alarm(suffix="dead-letters", since="2026-11-27T12:00:00Z")


def settled(board: AlarmBoard) -> tuple[list[Alarm], str]:
    board.now()
    board._pool.submit(lambda: None).result()  # the question before it is answered by then
    return board.now()


def test_they_are_asked_for_once_a_minute() -> None:
    clock, asked = Clock(0.0), list[float]()

    def ask() -> list[Alarm]:
        asked.append(clock())
        return [ON]

    board = AlarmBoard(ask, clock)
    assert settled(board) == ([ON], "")
    clock.advance(FRESH_SECONDS)
    settled(board)
    clock.advance(1)
    settled(board)
    assert asked == [0.0, FRESH_SECONDS + 1]


def test_they_may_be_unknown() -> None:
    def ask() -> list[Alarm]:
        raise NotAllowed("It takes cloudwatch:DescribeAlarms.")

    assert settled(AlarmBoard(ask)) == ([], "It takes cloudwatch:DescribeAlarms.")
