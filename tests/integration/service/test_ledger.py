"""The ledger's promises, held against DynamoDB and against the memory that stands in for it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import pytest
from botocore.exceptions import ClientError

from provisioner.contract import Outcome, ProvisioningRequest, Result
from provisioner.errors import Busy, Kind, Refused
from provisioner.ledger import Ledger
from provisioner.plan import shared_unit, things_of, type_unit
from provisioner.provision import Ledger as CoreLedger
from provisioner.records import ITSELF, Doubt, How, Lease, Made, RequestRecord, RequestState, Unit
from provisioner.spec import MAX_FIELDS, MAX_SHARED_FIELDS, MAX_TYPES
from provisioner.waiting import MOST, Waiting
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


ACCOUNT, DEAL = type_unit("acme", "account"), type_unit("acme", "deal")
PLAN = shared_unit("acme", "account")  # by the same name as the type
ID = a_request("1").id


def leased(ledger: LookingLedger, request_id: str = "1", unit: Unit = ACCOUNT) -> Lease:
    return ledger.lease(ledger.accept(a_request(request_id)), unit)


def created(close_id: str, at: float, *requests: str) -> Made:
    return Made(close_id, at, How.CREATED, requests)


def is_suspect(ledger: LookingLedger, record: RequestRecord, units: Iterable[Unit]) -> bool:
    return any(ledger.known(unit).is_suspect(record.id) for unit in units)


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
        counted = [ledger.count_wait(record, 5, "first"), ledger.count_wait(record, 5, "second")]

        assert counted == [1, 2]  # also when both read it before either counted
        found = ledger.accept(a_request("1"))
        assert (found.waits, found.waits_because) == (2, "second")


class TestLeases:
    def test_a_first_one(self, ledger: LookingLedger) -> None:
        assert leased(ledger) == Lease(ACCOUNT, attempt=1)

    def test_one_holder_at_a_time(self, ledger: LookingLedger, clock: Clock) -> None:
        leased(ledger, "1")
        assert is_busy(lambda: leased(ledger, "2"))
        assert is_busy(lambda: leased(ledger, "1"))
        for other in (DEAL, PLAN, type_unit("globex", "account")):
            assert not is_busy(lambda unit=other: leased(ledger, "1", unit))  # type: ignore[misc]

        clock.advance(90)
        assert is_busy(lambda: leased(ledger, "2"))
        clock.advance(0.001)
        assert not is_busy(lambda: leased(ledger, "2"))

    def test_given_back_it_is_free(self, ledger: LookingLedger) -> None:
        ledger.end([leased(ledger, "1")])

        assert leased(ledger, "2") == Lease(ACCOUNT, attempt=2)

    def test_several_are_given_back_together(self, ledger: LookingLedger) -> None:
        ledger.end([leased(ledger, "1", unit) for unit in (ACCOUNT, DEAL, PLAN)])

        assert [leased(ledger, "2", unit) for unit in (ACCOUNT, DEAL, PLAN)] == [
            Lease(unit, attempt=2) for unit in (ACCOUNT, DEAL, PLAN)
        ]

    def test_in_doubt_the_holder_stays_a_suspect(self, ledger: LookingLedger, clock: Clock) -> None:
        ledger.end([leased(ledger, "1").in_doubt("field seats", ID, clock())])
        clock.advance(5)

        lease = leased(ledger, "2")
        assert lease == Lease(ACCOUNT, attempt=2, doubts={"field seats": Doubt(clock() - 5, (ID,), lost=1)})
        assert (lease.suspects("field seats"), lease.suspects(ITSELF)) == ((ID,), ())

    def test_killed_the_holder_stays_a_suspect_until_its_leases_end(self, ledger: LookingLedger, clock: Clock) -> None:
        leased(ledger, "1")
        end = clock() + 90
        clock.advance(200)

        lease = leased(ledger, "2")
        assert lease.killed
        assert (lease.killed.requests, lease.killed.lost) == ((ID,), 0)
        assert lease.killed.since == pytest.approx(end)
        assert lease.suspects("anything") == (ID,)

    def test_killed_again_and_again(self, ledger: LookingLedger, clock: Clock) -> None:
        for number in range(3):
            leased(ledger, f"{number}")
            clock.advance(91)

        lease = leased(ledger, "3")
        assert lease.killed
        assert lease.killed.requests == tuple(a_request(f"{number}").id for number in range(3))
        assert lease.attempt == 4

    def test_killed_after_a_doubt(self, ledger: LookingLedger, clock: Clock) -> None:
        ledger.end([leased(ledger, "1").in_doubt(ITSELF, ID, clock())])
        leased(ledger, "2")
        clock.advance(91)

        lease = leased(ledger, "3")
        assert lease.doubts == {ITSELF: Doubt(clock() - 91, (ID,), lost=1)}
        assert lease.killed
        assert lease.killed.requests == (a_request("2").id,)
        assert (lease.is_suspect(ID), lease.is_suspect(a_request("3").id)) == (True, False)

    def test_a_kill_is_remembered_until_somebody_knows_better(self, ledger: LookingLedger, clock: Clock) -> None:
        leased(ledger, "1")
        end = clock() + 90
        clock.advance(91)
        ledger.end([leased(ledger, "2").looked(clock(), lag=60)])
        clock.advance(200)

        lease = leased(ledger, "3")
        assert lease.killed
        assert lease.killed.requests == (ID,)
        assert lease.killed.since == pytest.approx(end)
        ledger.end([lease.looked(clock(), lag=60)])
        known = leased(ledger, "4")
        assert known.killed is None
        assert known.fresh_from == pytest.approx(end + 120)

    def test_known_it_stays_known(self, ledger: LookingLedger, clock: Clock) -> None:
        made = {ITSELF: created("cotype_1", clock(), ID), "field seats": Made("cf_1", clock(), How.FOUND, ())}
        lease = leased(ledger, "1")
        for thing, each in made.items():
            lease = lease.has(thing, each)
        ledger.end([lease])

        assert ledger.known(ACCOUNT).close_id == "cotype_1"
        assert leased(ledger, "2") == Lease(ACCOUNT, 2, made=made, close_id="cotype_1", known_at=clock())
        assert (ledger.known(ACCOUNT).close_id, ledger.known(PLAN).close_id, ledger.known(DEAL).close_id) == (
            "cotype_1",
            None,
            None,
        )

    def test_what_is_not_known_any_more_is_forgotten(self, ledger: LookingLedger, clock: Clock) -> None:
        lease = leased(ledger, "1").in_doubt("field plan", ID, clock()).has(ITSELF, created("cotype_1", clock(), ID))
        ledger.end([lease])
        ledger.end([leased(ledger, "2").without_old(clock() + 1)])

        assert leased(ledger, "3") == Lease(ACCOUNT, 3, close_id="cotype_1", known_at=clock())

    def test_an_old_holder_is_fenced_off(self, ledger: LookingLedger, clock: Clock) -> None:
        slow = leased(ledger, "1")
        clock.advance(91)
        new = leased(ledger, "2")

        assert is_busy(lambda: ledger.end([slow.knows("cotype_9", clock())]))
        record = ledger.accept(a_request("1"))
        assert is_busy(lambda: ledger.settle(record, outcome(), [slow.knows("cotype_9", clock())]))
        assert ledger.accept(a_request("1")).outcome is None  # both or neither

        ledger.end([new.knows("cotype_1", clock())])
        assert leased(ledger, "3").close_id == "cotype_1"

    def test_fenced_off_from_one_unit_it_settles_nothing(self, ledger: LookingLedger, clock: Clock) -> None:
        slow = leased(ledger, "1", ACCOUNT)
        clock.advance(91)
        leased(ledger, "2", ACCOUNT)
        held = leased(ledger, "1", DEAL)
        record = ledger.accept(a_request("1"))

        assert is_busy(lambda: ledger.settle(record, outcome(), [held.knows("cotype_8", clock()), slow]))
        assert ledger.accept(a_request("1")).outcome is None
        assert ledger.known(DEAL).close_id is None
        assert is_busy(lambda: leased(ledger, "3", DEAL))  # it is still held

    def test_given_back_twice_is_given_back_once(self, ledger: LookingLedger, clock: Clock) -> None:
        """As when the SDK sends the write again because its answer got lost."""
        lease = leased(ledger, "1")
        ledger.end([lease])
        ledger.end([lease.knows("cotype_9", clock())])

        assert leased(ledger, "2").close_id is None

    def test_settled_and_given_back_together(self, ledger: LookingLedger, clock: Clock) -> None:
        leases = [leased(ledger, "1", unit).knows(f"id of {unit.kind}", clock()) for unit in (ACCOUNT, PLAN)]
        ledger.settle(ledger.accept(a_request("1")), outcome(), leases)

        assert [leased(ledger, "2", unit).close_id for unit in (ACCOUNT, PLAN)] == ["id of type", "id of shared field"]
        assert ledger.accept(a_request("1")).outcome == outcome()

    def test_settled_by_another_meanwhile_the_lease_goes_back_all_the_same(
        self, ledger: LookingLedger, clock: Clock
    ) -> None:
        leases = [leased(ledger, "1", unit).knows("cotype_1", clock()) for unit in (ACCOUNT, DEAL)]
        record = ledger.accept(a_request("1"))
        ledger.settle(record, outcome(Result.UNRESOLVED))

        assert ledger.settle(record, outcome(), leases).result == "unresolved"
        assert [leased(ledger, "2", unit).close_id for unit in (ACCOUNT, DEAL)] == ["cotype_1", "cotype_1"]

    def test_settled_without_a_lease_only_while_nobody_takes_one(self, ledger: LookingLedger, clock: Clock) -> None:
        """Read before its first lease, while it was leased, and after it was given back."""
        record, never = ledger.accept(a_request("1")), ledger.known(DEAL)
        leased(ledger, "2", DEAL)
        assert is_busy(lambda: ledger.settle(record, outcome(Result.FAILED), read=[ledger.known(ACCOUNT), never]))
        held = ledger.known(DEAL)
        clock.advance(91)
        ledger.end([leased(ledger, "3", DEAL)])
        assert is_busy(lambda: ledger.settle(record, outcome(Result.FAILED), read=[held]))
        assert ledger.settled_as(record) is None

        read = [ledger.known(ACCOUNT), ledger.known(DEAL)]
        assert ledger.settle(record, outcome(Result.FAILED), read=read).result == "failed"
        leased(ledger, "4", DEAL)
        assert ledger.settle(record, outcome(Result.CREATED), read=read).result == "failed"  # what stands, stands

    def test_a_request_that_somebody_settled_is_known_as_settled(self, ledger: LookingLedger) -> None:
        stale = ledger.accept(a_request("1"))
        assert ledger.settled_as(stale) is None
        told = ledger.settle(stale, outcome(Result.FAILED))

        assert ledger.settled_as(stale) == told

    def test_a_suspect_is_known_as_one(self, ledger: LookingLedger, clock: Clock) -> None:
        record, units = ledger.accept(a_request("1")), [DEAL, ACCOUNT]
        assert not is_suspect(ledger, record, units)
        ledger.end([ledger.lease(record, ACCOUNT).in_doubt("field seats", ID, clock())])

        assert is_suspect(ledger, record, units)
        assert not is_suspect(ledger, record, [DEAL])
        assert not is_suspect(ledger, ledger.accept(a_request("2")), units)

    def test_whoever_holds_a_lease_or_was_killed_with_one_is_a_suspect(
        self, ledger: LookingLedger, clock: Clock
    ) -> None:
        lease = leased(ledger, "1")
        record = ledger.accept(a_request("1"))
        assert is_suspect(ledger, record, [ACCOUNT])
        clock.advance(91)
        later = leased(ledger, "2")
        assert is_suspect(ledger, record, [ACCOUNT])
        assert (lease.attempt, later.is_suspect(record.id)) == (1, True)

        ledger.end([later.looked(clock() + 120, lag=60)])
        assert not is_suspect(ledger, record, [ACCOUNT])

    def test_a_suspect_stays_one_when_another_found_the_type(self, ledger: LookingLedger, clock: Clock) -> None:
        record = ledger.accept(a_request("1"))
        ledger.end([leased(ledger, "1").in_doubt(ITSELF, record.id, clock())])
        lease = leased(ledger, "2")
        ledger.end([lease.has(ITSELF, Made("cotype_1", clock(), How.FOUND, lease.suspects(ITSELF)))])

        assert is_suspect(ledger, record, [ACCOUNT])
        assert not is_suspect(ledger, ledger.accept(a_request("2")), [ACCOUNT])


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
        dynamodb.count_wait(record, 1, "why")
        dynamodb.expect(record)
        clock.advance(1_000_000)

        assert dynamodb.overdue(10) == []
        assert dynamodb.accept(a_request("1")).waits == 0

    def test_only_requests_expire(self, dynamodb: Ledger, clock: Clock) -> None:
        leased(dynamodb, "1")
        leased(dynamodb, "1", PLAN)
        dynamodb.pause("acme", 1)
        items = dynamodb.dynamodb.scan(TableName=dynamodb.table)["Items"]

        expiries = {item["pk"]["S"].partition("#")[0]: item.get("expires_at") for item in items}
        expiry = {"N": f"{clock() + 90 * 86400:.0f}"}
        assert expiries == {"REQUEST": expiry, "TYPE": None, "SHARED-FIELD": None, "TENANT": None}

    def test_an_expired_request_does_not_come_back_as_a_shadow(self, dynamodb: Ledger) -> None:
        record = dynamodb.accept(a_request("1"))
        dynamodb.dynamodb.delete_item(TableName=dynamodb.table, Key={"pk": {"S": f"REQUEST#{record.id}"}})
        dynamodb.announced(record)
        dynamodb.count_wait(record, 1, "why")

        assert dynamodb.find(record.id) is None

    @pytest.mark.parametrize("method", ["put_item", "update_item", "transact_write_items"])
    def test_a_write_sent_twice_by_the_sdk_counts_once(self, dynamodb: Ledger, clock: Clock, method: str) -> None:
        """The first one's answer got lost on its way back."""
        dynamodb = _with(dynamodb, method, _twice)
        lease = leased(dynamodb, "1")
        record = dynamodb.accept(a_request("1"))

        assert lease == Lease(ACCOUNT, attempt=1)
        assert dynamodb.settle(record, outcome(), [lease.knows("cotype_1", clock())]) == outcome()
        again = leased(dynamodb, "2")
        assert again == Lease(ACCOUNT, attempt=2, close_id="cotype_1", known_at=clock())
        dynamodb.end([again])
        assert leased(dynamodb, "3").killed is None

    def test_all_units_of_the_largest_request_settle_together(self, dynamodb: Ledger, clock: Clock) -> None:
        fields = [{"name": f"Field {number}", "type": "text", "shared": True} for number in range(MAX_SHARED_FIELDS)]
        types = [{"name": f"Type {number}", "name_plural": "x", "fields": fields} for number in range(MAX_TYPES)]
        request = ProvisioningRequest.model_validate(
            {"tenant": "acme", "request_id": "1", "custom_object_types": types}
        )
        record = dynamodb.accept(request)
        leases = [dynamodb.lease(record, unit) for unit in things_of(request)]

        dynamodb.settle(record, outcome(), [lease.knows("x", clock()) for lease in leases])

        assert len(leases) == MAX_TYPES + MAX_SHARED_FIELDS
        assert {dynamodb.known(lease.unit).close_id for lease in leases} == {"x"}

    def test_what_is_known_of_a_type_with_all_fields_fits_its_item(self, dynamodb: Ledger, clock: Clock) -> None:
        lease = leased(dynamodb, "1")
        for number in range(MAX_FIELDS):
            name = f"field {number:0200d}"
            lease = lease.has(name, created(f"cf_{number:030d}", clock(), ID)).in_doubt(f"other {name}", ID, clock())
        dynamodb.end([lease])

        again = leased(dynamodb, "2")
        assert (again.made, again.doubts) == (lease.made, lease.doubts)

    def test_fresh_even_if_the_sdk_sent_it_twice(self, dynamodb: Ledger) -> None:
        assert _with(dynamodb, "put_item", _twice).accept(a_request("1")).fresh

    @pytest.mark.parametrize("conflicts", [1, 3])
    def test_a_conflict_of_transactions_is_tried_again(self, dynamodb: Ledger, conflicts: int) -> None:
        failing = _with(dynamodb, "update_item", _conflicting(conflicts))

        assert leased(failing, "1").attempt == 1

    def test_a_conflict_over_a_request_is_tried_again(self, dynamodb: Ledger) -> None:
        """It is delivered again while the transaction runs that settles it."""
        record = dynamodb.accept(a_request("1"))
        failing = _with(dynamodb, "put_item", _conflicting(3))

        assert failing.accept(a_request("1")).id == record.id

    def test_however_often_it_waited_a_lease_that_is_taken_is_waited_for(self, dynamodb: Ledger) -> None:
        leased(dynamodb, "1")
        waiting = replace(dynamodb.accept(a_request("2")), waits=5000)

        with pytest.raises(Busy) as busy:
            dynamodb.lease(waiting, ACCOUNT)
        assert 0 < busy.value.seconds <= 60

    def test_who_waits_for_a_tenant_is_bounded(self, dynamodb: Ledger, clock: Clock) -> None:
        """What one item holds, and what is woken at once. The others come back by themselves all the same."""
        waiting = Waiting(dynamodb.dynamodb, dynamodb.table, dynamodb.retention_days, clock)
        for number in range(MOST):
            waiting.add("acme", f"request {number}")
        record = dynamodb.accept(a_request("1"))

        assert dynamodb.await_tenant(record, 10, "There is no tenant") == 1
        assert len(waiting.of("acme")) == MOST
        assert record.id not in waiting.of("acme")

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
