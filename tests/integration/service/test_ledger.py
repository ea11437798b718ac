"""The ledger's promises, held against DynamoDB and against the memory that stands in for it."""

from collections.abc import Callable
from typing import Any, Protocol

import pytest
from botocore.exceptions import ClientError

from provisioner.contract import Outcome, ProvisioningRequest, Result
from provisioner.errors import Busy, Kind, Refused
from provisioner.ledger import Ledger
from provisioner.provision import Ledger as CoreLedger
from provisioner.records import Lease, RequestRecord, RequestState
from tests.fakes import Clock, MemoryLedger, a_request
from tests.integration.service.locked_moto import client, make_table


class LookingLedger(CoreLedger, Protocol):
    """What both have beyond what the core needs."""

    def find(self, request_key: str) -> tuple[RequestRecord, ProvisioningRequest] | None: ...
    def paused_until(self, tenant: str) -> float: ...
    def pause(self, tenant: str, until: float) -> None: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dynamodb(aws: None, clock: Clock, request: pytest.FixtureRequest) -> Ledger:
    table = f"ledger-{abs(hash(request.node.name))}"
    make_table(table)
    return Ledger(client("dynamodb"), table, 90, 90, clock)


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest, clock: Clock) -> LookingLedger:
    if request.param == "memory":
        return MemoryLedger(clock)
    found: Ledger = request.getfixturevalue("dynamodb")
    return found


def outcome(result: Result = Result.CREATED) -> Outcome:
    return Outcome(tenant="acme", request_id="1", result=result, settled_at="2027-01-15T08:00:00+00:00")


def leased(ledger: LookingLedger, request_id: str = "1", **further: Any) -> Lease:
    request = a_request(request_id, **further)
    return ledger.lease(ledger.accept(request), request)


def is_busy(act: Callable[[], object]) -> bool:
    try:
        act()
    except Busy:
        return True
    return False


class TestRequests:
    def test_accepted_once(self, ledger: LookingLedger, clock: Clock) -> None:
        first = ledger.accept(a_request("1"))
        clock.advance(10)
        again = ledger.accept(a_request("1", if_exists="adopt"))

        assert (first.fresh, again.fresh) == (True, False)
        assert (first.state, again.accepted_at, again.waits, again.outcome) == ("accepted", first.accepted_at, 0, None)

    def test_other_content_under_the_same_id_is_refused(self, ledger: LookingLedger) -> None:
        ledger.accept(a_request("1"))

        with pytest.raises(Refused) as caught:
            ledger.accept(a_request("1", "Deal"))
        assert caught.value.kind is Kind.REQUEST_CONFLICT

    def test_found_by_its_key(self, ledger: LookingLedger) -> None:
        request = a_request("1", spec={"description": None, "editable_with_roles": ["admin"]})
        ledger.accept(request)

        found = ledger.find(request.id)
        assert found
        assert (found[0].id, found[1]) == (request.id, request)
        assert ledger.find("0" * 32) is None

    def test_settled_an_outcome_never_changes(self, ledger: LookingLedger) -> None:
        record = ledger.accept(a_request("1"))

        assert ledger.settle(record, outcome(Result.CREATED)).result == "created"
        assert ledger.settle(record, outcome(Result.FAILED)).result == "created"
        stored = ledger.accept(a_request("1"))
        assert (stored.state, stored.outcome) == (RequestState.SETTLED, outcome(Result.CREATED))

    def test_announced(self, ledger: LookingLedger) -> None:
        record = ledger.accept(a_request("1"))
        ledger.settle(record, outcome())
        ledger.announced(record)
        ledger.announced(record)

        assert ledger.accept(a_request("1")).state is RequestState.ANNOUNCED

    def test_waits_are_counted(self, ledger: LookingLedger) -> None:
        record = ledger.accept(a_request("1"))
        ledger.count_wait(record, 5)
        ledger.count_wait(record, 5)

        assert ledger.accept(a_request("1")).waits == 2


class TestLeases:
    def test_a_first_one(self, ledger: LookingLedger) -> None:
        assert leased(ledger) == Lease("acme", "account", 1, (a_request("1").id,))

    def test_one_holder_at_a_time(self, ledger: LookingLedger, clock: Clock) -> None:
        leased(ledger, "1")
        assert is_busy(lambda: leased(ledger, "2"))
        assert is_busy(lambda: leased(ledger, "1"))
        assert not is_busy(lambda: leased(ledger, "3", name="Deal"))
        assert not is_busy(lambda: leased(ledger, "1", tenant="globex"))

        clock.advance(90)
        assert is_busy(lambda: leased(ledger, "2"))
        clock.advance(0.001)
        assert not is_busy(lambda: leased(ledger, "2"))

    def test_given_back_it_is_free(self, ledger: LookingLedger) -> None:
        ledger.end(leased(ledger, "1").given_back())

        assert leased(ledger, "2") == Lease("acme", "account", 2, (a_request("2").id,))

    def test_in_doubt_the_holder_stays_a_suspect(self, ledger: LookingLedger, clock: Clock) -> None:
        ledger.end(leased(ledger, "1").in_doubt(clock()))
        clock.advance(5)

        lease = leased(ledger, "2")
        assert lease.suspects == (a_request("1").id,)
        assert (lease.lost, lease.doubt_since) == (1, clock() - 5)

    def test_killed_the_holder_stays_a_suspect_until_its_leases_end(self, ledger: LookingLedger, clock: Clock) -> None:
        leased(ledger, "1")
        end = clock() + 90
        clock.advance(200)

        lease = leased(ledger, "2")
        assert (lease.suspects, lease.lost) == ((a_request("1").id,), 0)
        assert lease.doubt_since == pytest.approx(end)

    def test_killed_again_and_again(self, ledger: LookingLedger, clock: Clock) -> None:
        for number in range(3):
            leased(ledger, f"{number}")
            clock.advance(91)

        lease = leased(ledger, "3")
        assert lease.suspects == tuple(a_request(f"{number}").id for number in range(3))
        assert lease.attempt == 4

    def test_known_it_stays_known(self, ledger: LookingLedger, clock: Clock) -> None:
        ledger.end(leased(ledger, "1").known("cotype_1", clock(), (a_request("1").id,)))

        lease = leased(ledger, "2")
        assert (lease.close_id, lease.known_at, lease.suspects) == ("cotype_1", clock(), ())
        assert lease.made_by(a_request("1").id, "cotype_1")
        assert not lease.made_by(a_request("2").id, "cotype_1")

    def test_an_old_holder_is_fenced_off(self, ledger: LookingLedger, clock: Clock) -> None:
        slow = leased(ledger, "1")
        clock.advance(91)
        new = leased(ledger, "2")

        assert is_busy(lambda: ledger.end(slow.known("cotype_9", clock(), ())))
        record = ledger.accept(a_request("1"))
        assert is_busy(lambda: ledger.settle(record, outcome(), slow.known("cotype_9", clock(), ())))
        assert ledger.accept(a_request("1")).outcome is None  # both or neither

        ledger.end(new.known("cotype_1", clock(), ()))
        assert leased(ledger, "3").close_id == "cotype_1"

    def test_given_back_twice_is_given_back_once(self, ledger: LookingLedger, clock: Clock) -> None:
        """As when the SDK sends the write again because its answer got lost."""
        lease = leased(ledger, "1")
        ledger.end(lease.given_back())
        ledger.end(lease.known("cotype_9", clock(), ()))

        assert leased(ledger, "2").close_id is None

    def test_settled_and_given_back_together(self, ledger: LookingLedger, clock: Clock) -> None:
        lease = leased(ledger, "1")
        ledger.settle(ledger.accept(a_request("1")), outcome(), lease.known("cotype_1", clock(), ()))

        assert leased(ledger, "2").close_id == "cotype_1"
        assert ledger.accept(a_request("1")).outcome == outcome()

    def test_settled_by_another_meanwhile_the_lease_goes_back_all_the_same(
        self, ledger: LookingLedger, clock: Clock
    ) -> None:
        lease = leased(ledger, "1")
        record = ledger.accept(a_request("1"))
        ledger.settle(record, outcome(Result.UNRESOLVED))

        assert ledger.settle(record, outcome(), lease.known("cotype_1", clock(), ())).result == "unresolved"
        assert leased(ledger, "2").close_id == "cotype_1"

    def test_a_suspect_is_known_as_one(self, ledger: LookingLedger, clock: Clock) -> None:
        record = ledger.accept(a_request("1"))
        assert not ledger.is_suspect(record, a_request("1"))
        ledger.end(ledger.lease(record, a_request("1")).in_doubt(clock()))

        assert ledger.is_suspect(record, a_request("1"))
        assert not ledger.is_suspect(ledger.accept(a_request("2")), a_request("2"))


class TestPauses:
    def test_a_pause_only_grows(self, ledger: LookingLedger) -> None:
        assert ledger.paused_until("acme") == 0
        ledger.pause("acme", 100)
        ledger.pause("acme", 200.5)
        ledger.pause("acme", 150)

        assert (ledger.paused_until("acme"), ledger.paused_until("globex")) == (200.5, 0)


class TestOnlyTheRealOne:
    def test_overdue_first_come_first(self, dynamodb: Ledger, clock: Clock) -> None:
        for number in range(3):
            dynamodb.accept(a_request(f"{number}"), expected_after=100)
            clock.advance(10)
        assert dynamodb.overdue(10) == []

        clock.advance(81)
        assert dynamodb.overdue(10) == [a_request(f"{number}").id for number in range(2)]
        assert len(dynamodb.overdue(1)) == 1

    def test_what_is_announced_is_never_overdue(self, dynamodb: Ledger, clock: Clock) -> None:
        record = dynamodb.accept(a_request("1"))
        dynamodb.settle(record, outcome())
        dynamodb.announced(record)
        dynamodb.count_wait(record, 1)
        dynamodb.expect(record)
        clock.advance(1_000_000)

        assert dynamodb.overdue(10) == []
        assert dynamodb.accept(a_request("1")).waits == 0

    def test_only_requests_expire(self, dynamodb: Ledger, clock: Clock) -> None:
        leased(dynamodb, "1")
        dynamodb.pause("acme", 1)
        items = dynamodb.dynamodb.scan(TableName=dynamodb.table)["Items"]

        expiries = {item["pk"]["S"].partition("#")[0]: item.get("expires_at") for item in items}
        assert expiries == {"REQUEST": {"N": f"{clock() + 90 * 86400:.0f}"}, "TYPE": None, "TENANT": None}

    def test_an_expired_request_does_not_come_back_as_a_shadow(self, dynamodb: Ledger) -> None:
        record = dynamodb.accept(a_request("1"))
        dynamodb.dynamodb.delete_item(TableName=dynamodb.table, Key={"pk": {"S": f"REQUEST#{record.id}"}})
        dynamodb.announced(record)
        dynamodb.count_wait(record, 1)

        assert dynamodb.find(record.id) is None

    @pytest.mark.parametrize("method", ["put_item", "update_item", "transact_write_items"])
    def test_a_write_sent_twice_by_the_sdk_counts_once(self, dynamodb: Ledger, clock: Clock, method: str) -> None:
        """The first one's answer got lost on its way back."""
        dynamodb = _with(dynamodb, method, _twice)
        lease = leased(dynamodb, "1")
        record = dynamodb.accept(a_request("1"))

        assert (lease.attempt, lease.suspects) == (1, ())
        assert dynamodb.settle(record, outcome(), lease.known("cotype_1", clock(), ())) == outcome()
        again = leased(dynamodb, "2")
        assert (again.attempt, again.close_id, again.suspects) == (2, "cotype_1", ())
        dynamodb.end(again.given_back())
        assert leased(dynamodb, "3").intents == (a_request("3").id,)

    def test_fresh_even_if_the_sdk_sent_it_twice(self, dynamodb: Ledger) -> None:
        assert _with(dynamodb, "put_item", _twice).accept(a_request("1")).fresh

    @pytest.mark.parametrize("conflicts", [1, 3])
    def test_a_conflict_of_transactions_is_tried_again(self, dynamodb: Ledger, conflicts: int) -> None:
        failing = _with(dynamodb, "update_item", _conflicting(conflicts))

        assert leased(failing, "1").attempt == 1

    def test_conflicts_without_end_are_waited_for(self, dynamodb: Ledger) -> None:
        failing = _with(dynamodb, "update_item", _conflicting(100))

        assert is_busy(lambda: leased(failing, "1"))

    def test_any_other_failure_goes_on(self, dynamodb: Ledger) -> None:
        failing = _with(dynamodb, "update_item", _failing("ProvisionedThroughputExceededException"))

        with pytest.raises(ClientError):
            leased(failing, "1")

    def test_a_transaction_that_fails_for_another_reason_goes_on(self, dynamodb: Ledger) -> None:
        record = dynamodb.accept(a_request("1"))

        with pytest.raises(ClientError):
            _with(dynamodb, "transact_write_items", _failing("ValidationException")).settle(record, outcome())
        assert dynamodb.accept(a_request("1")).outcome is None


class _Patched:
    """A client with one method of its own."""

    def __init__(self, real: Any, method: str, patched: Callable[..., Any]) -> None:
        self._real, self._method, self._patched = real, method, patched

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._real, name)
        return (lambda **request: self._patched(call, request)) if name == self._method else call


def _with(ledger: Ledger, method: str, patched: Callable[..., Any]) -> Ledger:
    real = _Patched(ledger.dynamodb, method, patched)
    return Ledger(real, ledger.table, ledger.lease_seconds, ledger.retention_days, ledger.clock)


def _twice(call: Callable[..., Any], request: dict[str, Any]) -> Any:
    call(**request)
    return call(**request)


def _failing(code: str) -> Callable[..., Any]:
    def fail(_: Callable[..., Any], __: dict[str, Any]) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "UpdateItem")

    return fail


def _conflicting(times: int) -> Callable[..., Any]:
    left = [times]

    def patched(call: Callable[..., Any], request: dict[str, Any]) -> Any:
        left[0] -= 1
        return _failing("TransactionConflictException")(call, request) if left[0] >= 0 else call(**request)

    return patched
