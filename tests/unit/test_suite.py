"""The report of ``make test``: short for a group that passed, everything for one that failed."""

import pytest

from tests import suite
from tests.suite import Group, GroupResult, Suite

GROUP = Group("simulation", ("tests/simulation",))
OUTPUT = "bringing up nodes...\n....F. [ 50%]\n\n...... [100%]\n12 passed in 3s\n"


def test_a_group_that_passed_is_reported_without_its_progress() -> None:
    assert str(GroupResult(GROUP, 3.2, 0, OUTPUT)) == "== simulation: passed in 3 s\n12 passed in 3s"


def test_a_group_that_failed_is_reported_with_all_its_output() -> None:
    text = str(GroupResult(GROUP, 3.2, 1, OUTPUT))
    assert text.startswith("== simulation: FAILED (exit code 1) in 3 s\n")
    assert all(line in text for line in OUTPUT.splitlines())


def test_every_group_runs_also_after_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    broken, fine = Group("broken", ("--no-such-option",)), Group("fine", ("--version",))
    assert not Suite().run(((broken, fine),))
    printed = capsys.readouterr().out
    assert "== broken: FAILED (exit code 4)" in printed
    assert "== fine: passed" in printed


def test_every_folder_of_tests_is_in_a_group() -> None:
    named = {argument for lane in suite.LANES for group in lane for argument in group.arguments}
    folders = {f"tests/{path.parent.relative_to(suite.TESTS).parts[0]}" for path in suite.TESTS.glob("*/**/test_*.py")}
    assert folders <= named
