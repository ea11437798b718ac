"""A signup may arrive before its tenant's credential: its request waits for a limited time."""

from contextlib import suppress
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, Rejected, RetryLater
from provisioner.contract.outcome import Outcome, Result
from provisioner.contract.request import ProvisioningRequest
from provisioner.reconcile.retries import TENANT_BACKOFF_SECONDS, Deferred
from tests.close import KILLED, LOST, LOST_BEFORE, Killed
from tests.fakes import MemoryWorld, a_request, kind_of
from tests.handlers import HandlerWorld
from tests.http_caller import BODY, Caller

MISSING = Rejected(ProblemType.TENANT_NOT_FOUND, "Tenant 'acme' has no credential.")
DAY = 86_400


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def waiting() -> ProvisioningRequest:
    return a_request(wait_for_tenant=True)


def look(world: MemoryWorld, request: ProvisioningRequest, rejection: Rejected | None = MISSING) -> Outcome | Deferred:
    return world.reconcile(request, world.organization(rejection))


def test_a_request_waits_longer_each_time_and_fails_at_its_deadline(world: MemoryWorld) -> None:
    gaps = []
    while isinstance(result := look(world, waiting()), Deferred):
        gaps.append(result.seconds)
        world.clock.advance(result.seconds)
    assert (result.result, kind_of(result)) == (Result.FAILED, "tenant-not-found")
    assert world.topic.events == [(result_key(world), result)]
    assert sum(gaps) == pytest.approx(3 * DAY, abs=2)
    for gap, longest in zip(gaps, TENANT_BACKOFF_SECONDS, strict=False):
        assert 0.8 * longest <= gap <= longest
    assert max(gaps) <= TENANT_BACKOFF_SECONDS[-1]


def test_field_18_a_tenant_that_can_have_no_secret_is_not_waited_for(world: MemoryWorld) -> None:
    result = look(world, a_request(tenant="acme:eu", wait_for_tenant=True))
    assert isinstance(result, Outcome)
    assert (result.result, kind_of(result)) == (Result.FAILED, "tenant-not-found")


def test_a_request_is_applied_once_its_tenant_exists(world: MemoryWorld) -> None:
    wait = look(world, waiting())
    assert isinstance(wait, Deferred)
    world.clock.advance(2 * DAY)
    assert isinstance(look(world, waiting()), Deferred)
    result = look(world, waiting(), None)
    assert isinstance(result, Outcome)
    assert result.result is Result.CREATED


def test_the_time_limit_excludes_the_wait_for_the_tenant(world: MemoryWorld) -> None:
    """Later deferrals, for Close, have the full time limit."""
    look(world, waiting())
    world.clock.advance(2 * DAY)
    look(world, waiting())
    world.close.list_fails = RetryLater("Close is down", 60)
    result = look(world, waiting(), None)
    assert isinstance(result, Deferred)
    world.clock.advance(world.provisioner.wait_limit + 1)
    result = look(world, waiting(), None)
    assert isinstance(result, Outcome)
    assert kind_of(result) == "deadline-exceeded"


@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "another one first"])
@pytest.mark.parametrize("if_exists", ["adopt", "update", "fail"])
@pytest.mark.parametrize(
    ("faults", "results"),
    [
        ([None, RetryLater("Close asked for a pause (429)", 5)], ["created", "created"]),
        ([LOST], ["recovered", "created"]),
        ([KILLED], ["recovered", "created"]),
        ([None, LOST], ["created", "recovered"]),
    ],
    ids=["a pause at the field", "a lost create", "a kill after the create", "a lost field"],
)
def test_a_request_reports_what_it_sent_days_before(
    world: MemoryWorld, if_exists: str, faults: list[Any], results: list[str], *, is_alone: bool
) -> None:
    """Its tenant's credential is removed while it is under way, and is there again two days later."""
    field = {"name": "Seats", "type": "number"}
    request = a_request(wait_for_tenant=True, if_exists=if_exists, spec={"fields": [field]})
    world.close.faults = [*faults]
    with suppress(Killed):
        world.reconcile(request)
    look(world, request)
    world.clock.advance(2 * DAY)
    look(world, request)
    if not is_alone:
        assert world.settle(a_request("another"))[0].result == "unchanged"

    outcome, _ = world.settle(request)

    assert [outcome.types[0].result, outcome.types[0].fields[0].result] == results
    assert len(world.close.existing) == len(world.close.fields) == 1


@pytest.mark.parametrize("seconds", [600, DAY, 2 * DAY])
@pytest.mark.parametrize("if_exists", ["adopt", "fail"])
def test_a_type_that_a_person_made_later_is_not_claimed(world: MemoryWorld, if_exists: str, seconds: int) -> None:
    """The create of this request never reached Close, and its tenant's credential is gone meanwhile."""
    request = a_request(
        wait_for_tenant=True, if_exists=if_exists, spec={"fields": [{"name": "Seats", "type": "number"}]}
    )
    world.close.faults = [LOST_BEFORE]
    world.reconcile(request)
    look(world, request)
    world.clock.advance(seconds)
    world.close.add("Account", name_plural="Accounts")
    world.close.writes.clear()

    outcome, _ = world.settle(request)

    assert (outcome.result, world.close.writes) == ({"adopt": "adopted", "fail": "failed"}[if_exists], [])


def test_a_request_does_not_wait_by_default(world: MemoryWorld) -> None:
    result = look(world, a_request())
    assert isinstance(result, Outcome)
    assert kind_of(result) == "tenant-not-found"


@pytest.mark.parametrize(
    "kind", [ProblemType.CREDENTIAL_UNREADABLE, ProblemType.CREDENTIAL_REJECTED, ProblemType.WRONG_ORGANIZATION]
)
def test_a_request_waits_for_no_other_rejection(world: MemoryWorld, kind: ProblemType) -> None:
    assert isinstance(look(world, waiting(), Rejected(kind, "no")), Outcome)


def test_the_fingerprint_excludes_the_choice_to_wait(world: MemoryWorld) -> None:
    assert waiting().fingerprint == a_request().fingerprint
    assert isinstance(look(world, waiting()), Deferred)
    assert isinstance(look(world, a_request(), None), Outcome)


class TestHandlersOfWaitingRequests:
    def test_a_caller_who_is_willing_to_wait_is_accepted(self) -> None:
        world = HandlerWorld()
        answer = Caller(world).post({**BODY, "tenant": "later", "wait_for_tenant": True})
        assert answer.status == 202
        assert Caller(world).post({**BODY, "tenant": "never"}).status == 404
        world.tenants.known.add("later")
        again = Caller(world).post({**BODY, "tenant": "later", "wait_for_tenant": True})
        assert (again.status, again.body["id"]) == (202, answer.body["id"])

    @pytest.mark.parametrize(("seconds", "parked"), [(900, False), (901, True)])
    def test_a_long_wait_has_no_message(self, seconds: float, parked: bool) -> None:
        assert Deferred(seconds, "").exceeds_queue_delay is parked


def result_key(world: MemoryWorld) -> str:
    [key] = world.ledger.requests
    return key
