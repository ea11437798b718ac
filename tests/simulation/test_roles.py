"""Every grant of a simulated function's role is needed by a scenario or by Lambda, so that removing one is noticed.

A grant that nothing here needs is reported: add a scenario that needs it, or remove the grant.
"""

import pytest

from infra.checks.translated import translated
from tests.simulation import strict, webhook_senders
from tests.simulation.callers import body
from tests.simulation.environment import TIMEOUT_SECONDS, SimulatedEnvironment
from tests.simulation.fault import Case
from tests.simulation.matrix import run
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.system_under_test import SECRET_PREFIX, CloseProvisioner
from tests.simulation.workload import Workload
from tests.strict_aws.judge import Judge

AFTER_FAULTS = (
    "api async create: kill after dynamodb.PutItem REQUEST#3d1c10#1",  # the sweeper requeues it
    "queue create: error before dynamodb.GetItem TENANT#acme#1",  # the message is hidden for a while
)


def unusable_credential(workload: Workload) -> None:
    """A request that fails without a lease checks what it read."""
    workload.environment.account.secrets[f"{SECRET_PREFIX}/unreadable"] = "{"
    workload.post(body("one", tenant="unreadable"))
    workload.send(body("two", tenant="unreadable"))


def an_event_without_a_request(workload: Workload) -> None:
    workload.put_event(webhook_senders.requested({"tenant": "acme"}))


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Return the judge, after everything that needs a permission."""
    for case in (*map(Case, SCENARIOS), *map(Case.read, AFTER_FAULTS)):
        result = run(case, CloseProvisioner())
        assert not result.violations, case
        assert len(result.fired) == len(case.faults)
    for plot in (unusable_credential, an_event_without_a_request):
        with SimulatedEnvironment(CloseProvisioner(), Case(plot.__name__)).patched() as environment:
            workload = Workload(environment)
            plot(workload)
            workload.run_until_quiescent()
            assert environment.rejected_by_aws == []
    return strict.judge()


def played(judge: Judge) -> set[str]:
    """Return the roles of the functions that the scenarios invoke.

    Random lives invoke the operator's (test_model.py), and its integration tests judge its calls.
    """
    return {judge.roles[function] for function in TIMEOUT_SECONDS if function != "operator"}


def test_every_grant_is_needed(judge: Judge) -> None:
    assert [grant for grant in judge.unused() if grant[0] in played(judge)] == []


def test_every_statement_that_is_removed_is_missed(judge: Judge) -> None:
    removed = [
        (role, number)
        for role in played(judge)
        for number, statement in enumerate(judge.statements[role])
        if statement["Effect"] == "Allow"
    ]
    assert len(removed) > 20
    assert [each for each in removed if not judge.noticed_without(*each)] == []


def test_a_grant_that_nothing_needs_is_reported(judge: Judge) -> None:
    added = {"Sid": "Added", "Effect": "Allow", "Action": "dynamodb:Scan", "Resource": "*"}
    judge.statements["SweeperRole"].append(added)
    try:
        unused = {(role, action) for role, _, action, _ in judge.unused() if role in played(judge)}
        assert unused == {("SweeperRole", "dynamodb:Scan")}
    finally:
        judge.statements["SweeperRole"].remove(added)


def test_every_call_is_allowed_and_every_grant_needed_with_a_key_and_a_network_of_ones_own(judge: Judge) -> None:
    key = "arn:aws:kms:us-east-1:111122223333:key/12345678-1234-1234-1234-123456789012"
    source_key, tenant_key = key.replace("key/1", "key/2"), key.replace("key/1", "key/3")
    template = translated(
        f"KeyArn={key}",
        f"SourceSecretKeyArn={source_key}",
        f"TenantSecretKeyArn={tenant_key}",
        "SubnetIds=subnet-0123456789abcdef0",
        "SecurityGroupId=sg-0123456789abcdef0",
    )
    other = strict.judge_with(template)
    assert [fault for handler, call in judge.calls.values() for fault in other.faults(handler, call)] == []
    assert [grant for grant in other.unused() if grant[0] in played(judge)] == []
    for role in played(judge):
        allowed = [number for number, each in enumerate(other.statements[role]) if each["Effect"] == "Allow"]
        assert all(other.noticed_without(role, number) for number in allowed), role


def test_a_refused_call_fails_the_case() -> None:
    statements = strict.judge().statements["WorkerRole"]
    [ledger] = [each for each in statements if each.get("Sid") == "Ledger"]
    statements.remove(ledger)
    try:
        result = run(Case("queue create"), CloseProvisioner())
    finally:
        statements.insert(0, ledger)
    refused = [each.description for each in result.violations if each.invariant == "(requests that AWS takes)"]
    assert any("WorkerRole does not allow dynamodb:PutItem" in each for each in refused)
