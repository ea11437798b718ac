"""A process killed after each call of the critical section, at either entry point, on the deployed stack."""

import pytest

from tests.chaos.kills import run


@pytest.mark.timeout(900)  # a minute, on a machine that has nothing else to do
def test_every_promise_is_kept_when_a_process_is_killed() -> None:
    result = run("kills-test", only_critical=True)
    assert not result.violations
    assert result.killed == len(result.cases)
    assert {case.call.partition("#")[0] for case in result.cases} == {
        "dynamodb.UpdateItem",
        "close.GET",
        "close.POST",
        "dynamodb.GetItem",
        "dynamodb.TransactWriteItems",
        "sns.Publish",
    }
    assert {case.entry_point for case in result.cases} == {"http", "sqs"}
    assert set(result.judged) >= {"api", "worker"}, "their calls to AWS are held to their roles"
    assert result.judged.total() > 10 * len(result.cases)
    assert result.results["recovered"] >= 2, (
        "at either entry point, a process is killed after its create was carried out"
    )
