"""The ledger's promises, held against DynamoDB and against the memory that stands in for it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import pytest
from botocore.exceptions import ClientError

from provisioner.contract.errors import ProblemType, Rejected, RetryLater
from provisioner.contract.outcome import Outcome, Result
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import MAX_FIELDS, MAX_SHARED_FIELDS, MAX_TYPES
from provisioner.ledger.in_doubt import InDoubt
from provisioner.ledger.lease import CREATE_RESOURCE, AppliedWrite, Lease, Provenance, ResourceKey, ResourceRecord, Seen
from provisioner.ledger.models import RequestRecord, RequestState, TenantRecord
from provisioner.ledger.store import Ledger
from provisioner.ledger.tenant_items import TenantItems
from provisioner.ledger.waitlist import MAX_WAITERS, TenantWaitlist
from provisioner.reconcile.plan import resources_to_lock, shared_field_resource, type_resource
from provisioner.reconcile.ports import Ledger as CoreLedger
from tests.fakes import Clock, MemoryLedger, a_request
from tests.integration.service.locked_moto import client, make_table

TYPES = ({"name": "Account", "name_plural": "Accounts"}, {"name": "Deal", "name_plural": "Deals"})


class LookingLedger(CoreLedger, Protocol):
    """The methods of both ledgers beyond those that the core uses."""

    def accept(self, request: ProvisioningRequest) -> RequestRecord: ...
    def find(self, request_key: str) -> RequestRecord | None: ...
    def paused_until(self, organization: str) -> float: ...
    def pause(self, organization: str, until: float) -> None: ...


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


def test_hole_5_the_accepted_content_is_found_again(ledger: LookingLedger) -> None:
    first = a_request("1", blueprint="account", custom_object_type=None, custom_object_types=TYPES[:1])
    other = a_request("1", blueprint="account", custom_object_type=None, custom_object_types=TYPES[1:])

    assert ledger.accept(first).accepted_request(first) == first
    again = ledger.accept(other)

    assert (again.fresh, again.accepted_request(other)) == (False, first)


def outcome(result: Result = Result.CREATED) -> Outcome:
    return Outcome(tenant="acme", request_id="1", result=result, settled_at="2027-01-15T08:00:00+00:00")


def requests(lease: Lease, operation: str = CREATE_RESOURCE) -> tuple[str, ...]:
    return tuple(each.request for each in lease.record.in_doubt_about(operation))


ACCOUNT, DEAL = type_resource("acme", "account"), type_resource("acme", "deal")
PLAN = shared_field_resource("acme", "account")  # by the same name as the type
ID = a_request("1").id


def leased(ledger: LookingLedger, request_id: str = "1", resource: ResourceKey = ACCOUNT) -> Lease:
    return ledger.lease(ledger.accept(a_request(request_id)), resource)


def change(lease: Lease, update: Callable[[ResourceRecord], ResourceRecord]) -> Lease:
    """The lease with more known of its resource."""
    return lease.with_record(update(lease.record))


def observed(lease: Lease, close_id: str, at: float) -> Lease:
    return change(lease, lambda record: record.with_observed_id(close_id, at))


def written(lease: Lease, operation: str, write: AppliedWrite) -> Lease:
    return change(lease, lambda record: record.with_write(operation, write))


def in_doubt(lease: Lease, operation: str, request: str, at: float) -> Lease:
    return change(lease, lambda record: record.with_in_doubt(operation, request, at))


def ruled_out(lease: Lease, at: float, lag: float) -> Lease:
    return change(lease, lambda record: record.orphans_ruled_out(at, lag))


def created(close_id: str, at: float, *requests: str) -> AppliedWrite:
    return AppliedWrite(close_id, at, Provenance.CREATED, requests)


def may_have_created(ledger: LookingLedger, record: RequestRecord, resources: Iterable[ResourceKey]) -> bool:
    return any(ledger.read(resource).may_have_created(record.id) for resource in resources)


def is_busy(act: Callable[[], object]) -> bool:
    try:
        act()
    except RetryLater:
        return True
    return False


class TestStoredRequests:
    def test_a_request_is_accepted_once(self, ledger: LookingLedger, clock: Clock) -> None:
        first = ledger.accept(a_request("1"))
        clock.advance(10)
        again = ledger.accept(a_request("1", if_exists="adopt"))

        assert (first.fresh, again.fresh) == (True, False)
        assert (first.state, again.accepted_at, again.deferrals, again.outcome) == (
            "accepted",
            first.accepted_at,
            0,
            None,
        )

    def test_a_reused_id_is_rejected(self, ledger: LookingLedger) -> None:
        ledger.accept(a_request("1"))

        with pytest.raises(Rejected) as caught:
            ledger.accept(a_request("1", "Deal"))
        assert caught.value.kind is ProblemType.REQUEST_CONFLICT

    def test_a_request_is_found_by_its_key(self, ledger: LookingLedger) -> None:
        request = a_request("1", spec={"description": None, "editable_with_roles": ["admin"]})
        ledger.accept(request)

        found = ledger.find(request.id)
        assert found
        assert (found.id, found.body, found.accepted_request(request)) == (request.id, request.to_json(), request)
        assert ledger.find("0" * 32) is None

    def test_settled_an_outcome_never_changes(self, ledger: LookingLedger) -> None:
        record = ledger.accept(a_request("1"))

        assert ledger.settle(record, outcome(Result.CREATED)).result == "created"
        assert ledger.settle(record, outcome(Result.FAILED)).result == "created"
        stored = ledger.accept(a_request("1"))
        assert (stored.state, stored.outcome) == (RequestState.SETTLED, outcome(Result.CREATED))

    def test_a_published_request_is_marked(self, ledger: LookingLedger) -> None:
        record = ledger.accept(a_request("1"))
        ledger.settle(record, outcome())
        ledger.mark_published(record)
        ledger.mark_published(record)

        assert ledger.accept(a_request("1")).state is RequestState.ANNOUNCED

    def test_deferrals_are_counted(self, ledger: LookingLedger) -> None:
        record = ledger.accept(a_request("1"))
        counted = [ledger.record_deferral(record, 5, "first"), ledger.record_deferral(record, 5, "second")]

        assert counted == [1, 2]  # also when both read it before either counted
        found = ledger.accept(a_request("1"))
        assert (found.deferrals, found.pending_reason) == (2, "second")


class TestLeases:
    def test_the_first_lease_has_the_first_token(self, ledger: LookingLedger) -> None:
        assert leased(ledger).record == ResourceRecord(ACCOUNT, fencing_token=1)

    def test_a_lease_has_one_holder_at_a_time(self, ledger: LookingLedger, clock: Clock) -> None:
        leased(ledger, "1")
        assert is_busy(lambda: leased(ledger, "2"))
        assert is_busy(lambda: leased(ledger, "1"))
        for other in (DEAL, PLAN, type_resource("globex", "account")):
            assert not is_busy(lambda resource=other: leased(ledger, "1", resource))  # type: ignore[misc]

        clock.advance(90)
        assert is_busy(lambda: leased(ledger, "2"))
        clock.advance(0.001)
        assert not is_busy(lambda: leased(ledger, "2"))

    def test_a_released_lease_is_free(self, ledger: LookingLedger) -> None:
        ledger.release([leased(ledger, "1")])

        assert leased(ledger, "2").record == ResourceRecord(ACCOUNT, fencing_token=2)

    def test_several_leases_are_released_together(self, ledger: LookingLedger) -> None:
        ledger.release([leased(ledger, "1", resource) for resource in (ACCOUNT, DEAL, PLAN)])

        assert [leased(ledger, "2", resource).record for resource in (ACCOUNT, DEAL, PLAN)] == [
            ResourceRecord(resource, fencing_token=2) for resource in (ACCOUNT, DEAL, PLAN)
        ]

    def test_a_holder_with_a_lost_response_stays_in_doubt(self, ledger: LookingLedger, clock: Clock) -> None:
        ledger.release([in_doubt(leased(ledger, "1"), "field:seats", ID, clock())])
        clock.advance(5)

        lease = leased(ledger, "2")
        assert lease.record == ResourceRecord(
            ACCOUNT, fencing_token=2, in_doubt={"field:seats": (InDoubt(clock() - 5, ID, lost=True),)}
        )
        assert (requests(lease, "field:seats"), requests(lease, CREATE_RESOURCE)) == ((ID,), ())

    def test_a_killed_holder_is_in_doubt_since_the_end_of_its_lease(self, ledger: LookingLedger, clock: Clock) -> None:
        leased(ledger, "1")
        end = clock() + 90
        clock.advance(200)

        lease = leased(ledger, "2")
        [orphan] = lease.record.orphaned
        assert (orphan.request, orphan.lost) == (ID, False)
        assert orphan.since == pytest.approx(end)
        assert requests(lease, "anything") == (ID,)

    def test_every_killed_holder_stays_in_doubt(self, ledger: LookingLedger, clock: Clock) -> None:
        for number in range(3):
            leased(ledger, f"{number}")
            clock.advance(91)

        lease = leased(ledger, "3")
        assert requests(lease) == tuple(a_request(f"{number}").id for number in range(3))
        assert lease.fencing_token == 4

    def test_a_kill_after_a_lost_response_keeps_both_in_doubt(self, ledger: LookingLedger, clock: Clock) -> None:
        ledger.release([in_doubt(leased(ledger, "1"), CREATE_RESOURCE, ID, clock())])
        leased(ledger, "2")
        clock.advance(91)

        lease = leased(ledger, "3")
        assert lease.record.in_doubt == {CREATE_RESOURCE: (InDoubt(clock() - 91, ID, lost=True),)}
        assert [each.request for each in lease.record.orphaned] == [a_request("2").id]
        assert (lease.record.may_have_created(ID), lease.record.may_have_created(a_request("3").id)) == (True, False)

    def test_a_kill_stays_in_the_record_until_it_is_ruled_out(self, ledger: LookingLedger, clock: Clock) -> None:
        leased(ledger, "1")
        end = clock() + 90
        clock.advance(91)
        ledger.release([ruled_out(leased(ledger, "2"), clock(), lag=60)])
        clock.advance(200)

        lease = leased(ledger, "3")
        [orphan] = lease.record.orphaned
        assert (orphan.request, orphan.lost) == (ID, False)
        assert orphan.since == pytest.approx(end)
        ledger.release([ruled_out(lease, clock(), lag=60)])
        known = leased(ledger, "4")
        assert known.record.orphaned == ()
        assert known.record.reads_valid_from == pytest.approx(end + 120)

    def test_a_known_write_stays_known(self, ledger: LookingLedger, clock: Clock) -> None:
        made = {
            CREATE_RESOURCE: created("cotype_1", clock(), ID),
            "field:seats": AppliedWrite("cf_1", clock(), Provenance.OBSERVED, ()),
        }
        lease = leased(ledger, "1")
        for operation, each in made.items():
            lease = written(lease, operation, each)
        ledger.release([lease])

        assert ledger.read(ACCOUNT).close_id == "cotype_1"
        assert leased(ledger, "2").record == ResourceRecord(
            ACCOUNT, 2, writes=made, close_id="cotype_1", last_observed_at=clock()
        )
        assert (ledger.read(ACCOUNT).close_id, ledger.read(PLAN).close_id, ledger.read(DEAL).close_id) == (
            "cotype_1",
            None,
            None,
        )

    def test_what_is_not_known_any_more_is_forgotten(self, ledger: LookingLedger, clock: Clock) -> None:
        lease = written(leased(ledger, "1"), "update:create", AppliedWrite("x", clock(), Provenance.UPDATED, (ID,)))
        lease = written(
            written(lease, CREATE_RESOURCE, created("cotype_1", clock(), ID)),
            "field:plan",
            created("cf_1", clock(), ID),
        )
        ledger.release([in_doubt(lease, "field:seats", ID, clock())])
        ledger.release([change(leased(ledger, "2"), lambda record: record.pruned(clock() + 1))])

        known = {"field:plan": AppliedWrite("cf_1", 0, Provenance.CREATED, ())}  # its id stays
        assert leased(ledger, "3").record == ResourceRecord(
            ACCOUNT, 3, writes=known, close_id="cotype_1", last_observed_at=clock()
        )

    def test_an_earlier_holder_is_fenced_off(self, ledger: LookingLedger, clock: Clock) -> None:
        slow = leased(ledger, "1")
        clock.advance(91)
        new = leased(ledger, "2")

        assert is_busy(lambda: ledger.release([observed(slow, "cotype_9", clock())]))
        record = ledger.accept(a_request("1"))
        assert is_busy(lambda: ledger.settle(record, outcome(), [observed(slow, "cotype_9", clock())]))
        assert ledger.accept(a_request("1")).outcome is None  # both or neither

        ledger.release([observed(new, "cotype_1", clock())])
        assert leased(ledger, "3").record.close_id == "cotype_1"

    def test_a_holder_fenced_off_from_one_resource_settles_nothing(self, ledger: LookingLedger, clock: Clock) -> None:
        slow = leased(ledger, "1", ACCOUNT)
        clock.advance(91)
        leased(ledger, "2", ACCOUNT)
        held = leased(ledger, "1", DEAL)
        record = ledger.accept(a_request("1"))

        assert is_busy(lambda: ledger.settle(record, outcome(), [observed(held, "cotype_8", clock()), slow]))
        assert ledger.accept(a_request("1")).outcome is None
        assert ledger.read(DEAL).close_id is None
        assert is_busy(lambda: leased(ledger, "3", DEAL))  # it is still held

    def test_a_repeated_release_has_no_effect(self, ledger: LookingLedger, clock: Clock) -> None:
        """Send each write twice, as the SDK does after a lost response."""
        lease = leased(ledger, "1")
        ledger.release([lease])
        ledger.release([observed(lease, "cotype_9", clock())])

        assert leased(ledger, "2").record.close_id is None

    def test_settling_releases_the_leases(self, ledger: LookingLedger, clock: Clock) -> None:
        leases = [
            observed(leased(ledger, "1", resource), f"id of {resource.kind}", clock()) for resource in (ACCOUNT, PLAN)
        ]
        ledger.settle(ledger.accept(a_request("1")), outcome(), leases)

        assert [leased(ledger, "2", resource).record.close_id for resource in (ACCOUNT, PLAN)] == [
            "id of type",
            "id of shared field",
        ]
        assert ledger.accept(a_request("1")).outcome == outcome()

    def test_a_lease_is_released_when_another_run_settled_the_request(
        self, ledger: LookingLedger, clock: Clock
    ) -> None:
        leases = [observed(leased(ledger, "1", resource), "cotype_1", clock()) for resource in (ACCOUNT, DEAL)]
        record = ledger.accept(a_request("1"))
        ledger.settle(record, outcome(Result.UNRESOLVED))

        assert ledger.settle(record, outcome(), leases).result == "unresolved"
        assert [leased(ledger, "2", resource).record.close_id for resource in (ACCOUNT, DEAL)] == [
            "cotype_1",
            "cotype_1",
        ]

    def test_settling_without_a_lease_requires_unchanged_records(self, ledger: LookingLedger, clock: Clock) -> None:
        """Read before its first lease, while it was leased, and after it was given back."""
        record, never = ledger.accept(a_request("1")), ledger.read(DEAL)
        leased(ledger, "2", DEAL)
        assert is_busy(lambda: ledger.settle(record, outcome(Result.FAILED), unchanged=[ledger.read(ACCOUNT), never]))
        held = ledger.read(DEAL)
        clock.advance(91)
        ledger.release([leased(ledger, "3", DEAL)])
        assert is_busy(lambda: ledger.settle(record, outcome(Result.FAILED), unchanged=[held]))
        assert ledger.begin(record) is None

        read = [ledger.read(ACCOUNT), ledger.read(DEAL)]
        assert ledger.settle(record, outcome(Result.FAILED), unchanged=read).result == "failed"
        leased(ledger, "4", DEAL)
        assert ledger.settle(record, outcome(Result.CREATED), unchanged=read).result == "failed"  # what stands, stands

    def test_a_settled_request_is_known_to_every_run(self, ledger: LookingLedger) -> None:
        stale = ledger.accept(a_request("1"))
        assert ledger.begin(stale) is None
        told = ledger.settle(stale, outcome(Result.FAILED))

        assert ledger.begin(stale) == told

    def test_a_request_that_began_to_write_is_not_settled_without_a_look(self, ledger: LookingLedger) -> None:
        one, other = ledger.accept(a_request("1")), ledger.accept(a_request("2"))
        ledger.begin(one)

        assert ledger.settle_unbegun(one, outcome(Result.UNCHANGED)) is None
        assert ledger.settle(one, outcome(Result.CREATED)).result == "created"
        assert ledger.settle_unbegun(one, outcome(Result.UNCHANGED)) == outcome(Result.CREATED)
        assert ledger.settle_unbegun(other, outcome(Result.UNCHANGED)) == outcome(Result.UNCHANGED)
        assert ledger.begin(other) == outcome(Result.UNCHANGED)

    def test_an_observation_is_remembered_and_counts_while_nothing_is_in_doubt(
        self, ledger: LookingLedger, clock: Clock
    ) -> None:
        lease = leased(ledger)
        ledger.release([lease.with_record(lease.record.with_seen("f00d", Seen(clock(), "{}"), since=0))])

        assert ledger.read(ACCOUNT).seen("f00d", clock() - 1) == Seen(clock(), "{}")
        assert ledger.read(ACCOUNT).seen("f00d", clock()) is None
        assert ledger.read(ACCOUNT).seen("feed", 0) is None
        held = leased(ledger, "2")
        assert ledger.read(ACCOUNT).seen("f00d", 0) is None, "its holder may write"
        ledger.release([held])
        assert ledger.read(ACCOUNT).seen("f00d", 0), "it wrote nothing"

    def test_a_request_in_doubt_is_known_to_readers(self, ledger: LookingLedger, clock: Clock) -> None:
        record, resources = ledger.accept(a_request("1")), [DEAL, ACCOUNT]
        assert not may_have_created(ledger, record, resources)
        ledger.release([in_doubt(ledger.lease(record, ACCOUNT), "field:seats", ID, clock())])

        assert may_have_created(ledger, record, resources)
        assert not may_have_created(ledger, record, [DEAL])
        assert not may_have_created(ledger, ledger.accept(a_request("2")), resources)

    def test_holders_and_killed_holders_of_a_lease_are_in_doubt(self, ledger: LookingLedger, clock: Clock) -> None:
        lease = leased(ledger, "1")
        record = ledger.accept(a_request("1"))
        assert may_have_created(ledger, record, [ACCOUNT])
        clock.advance(91)
        later = leased(ledger, "2")
        assert may_have_created(ledger, record, [ACCOUNT])
        assert (lease.fencing_token, later.record.may_have_created(record.id)) == (1, True)

        ledger.release([ruled_out(later, clock() + 120, lag=60)])
        assert not may_have_created(ledger, record, [ACCOUNT])

    def test_a_request_stays_in_doubt_when_another_found_the_type(self, ledger: LookingLedger, clock: Clock) -> None:
        record = ledger.accept(a_request("1"))
        ledger.release([in_doubt(leased(ledger, "1"), CREATE_RESOURCE, record.id, clock())])
        lease = leased(ledger, "2")
        candidates = requests(lease)
        write = AppliedWrite("cotype_1", clock(), Provenance.OBSERVED, candidates)
        ledger.release([written(lease, CREATE_RESOURCE, write)])

        assert may_have_created(ledger, record, [ACCOUNT])
        assert not may_have_created(ledger, ledger.accept(a_request("2")), [ACCOUNT])


class TestPauses:
    def test_a_pause_only_grows(self, ledger: LookingLedger) -> None:
        assert ledger.paused_until("acme") == 0
        ledger.pause("acme", 100)
        ledger.pause("acme", 200.5)
        ledger.pause("acme", 150)

        assert (ledger.paused_until("acme"), ledger.paused_until("globex")) == (200.5, 0)


class TestTenants:
    def test_a_tenant_is_bound_to_one_organization(self, ledger: LookingLedger) -> None:
        unbound = ledger.tenant("acme")

        assert unbound == TenantRecord("acme")
        assert ledger.bind(unbound, "orga_1") == ledger.tenant("acme") == TenantRecord("acme", "orga_1")
        assert ledger.bind(unbound, "orga_2") == TenantRecord("acme", "orga_1")  # another worker was faster
        assert ledger.tenant("globex") == TenantRecord("globex")

    def test_a_tenant_that_is_bound_again_remembers_its_earlier_organizations(self, ledger: LookingLedger) -> None:
        for organization in ("orga_1", "orga_2", "orga_1"):
            ledger.bind(ledger.tenant("acme"), organization)

        assert ledger.tenant("acme") == TenantRecord("acme", "orga_1", ("orga_2",))

    def test_a_request_that_sent_nothing_has_not_begun(self, ledger: LookingLedger) -> None:
        record = ledger.accept(a_request("1"))
        ledger.begin(record)
        assert ledger.accept(a_request("1")).has_begun

        ledger.unbegin(record)
        ledger.unbegin(record)

        assert not ledger.accept(a_request("1")).has_begun
        assert ledger.settle_unbegun(record, outcome()) == outcome()

    @pytest.mark.parametrize("bound", [None, "orga_1"])
    def test_a_request_does_not_fail_while_its_tenant_is_bound_again(
        self, ledger: LookingLedger, bound: str | None
    ) -> None:
        record = ledger.accept(a_request("1"))
        if bound:
            ledger.bind(ledger.tenant("acme"), bound)
        known = ledger.tenant("acme")
        ledger.bind(known, "orga_2")

        with pytest.raises(RetryLater):
            ledger.settle(record, outcome(Result.FAILED), unchanged=[known])
        assert ledger.settle(record, outcome(Result.FAILED), unchanged=[ledger.tenant("acme")]).result == "failed"


class TestOnlyTheRealOne:
    def test_a_request_stored_by_an_older_version_is_found_again(self, dynamodb: Ledger) -> None:
        """Version 0.2 left a given default of a type out of the fingerprint. The stored body decides."""
        given_default = a_request("1", spec={"api_create_only": False})
        dynamodb.accept(given_default)
        dynamodb.dynamodb.update_item(
            TableName=dynamodb.table,
            Key={"pk": {"S": f"REQUEST#{given_default.id}"}},
            UpdateExpression="SET fingerprint = :old",
            ExpressionAttributeValues={":old": {"S": a_request("1").fingerprint}},
        )

        assert dynamodb.accept(given_default).accepted == given_default
        with pytest.raises(Rejected, match="other content"):
            dynamodb.accept(a_request("1", spec={"api_create_only": True}))

    def test_overdue_first_come_first(self, dynamodb: Ledger, clock: Clock) -> None:
        for number in range(3):
            dynamodb.accept(a_request(f"{number}"), expected_after=100)
            clock.advance(10)
        assert list(dynamodb.overdue(10)) == []

        clock.advance(81)
        assert list(dynamodb.overdue(10)) == [a_request(f"{number}").id for number in range(2)]
        assert list(dynamodb.overdue(1)) == list(dynamodb.overdue(10)), "page by page"

    def test_a_published_request_is_never_overdue(self, dynamodb: Ledger, clock: Clock) -> None:
        record = dynamodb.accept(a_request("1"))
        dynamodb.settle(record, outcome())
        dynamodb.mark_published(record)
        dynamodb.record_deferral(record, 1, "reason")
        dynamodb.postpone(record)
        clock.advance(1_000_000)

        assert list(dynamodb.overdue(10)) == []
        assert dynamodb.accept(a_request("1")).deferrals == 0

    def test_a_write_for_a_forgotten_request_does_not_strike_the_one_that_was_accepted_after_it(
        self, dynamodb: Ledger, clock: Clock
    ) -> None:
        old = dynamodb.accept(a_request("1"))
        dynamodb.settle(old, outcome())
        dynamodb.mark_published(old)
        assert TenantItems(dynamodb).forget_request(old.id)
        clock.advance(1)
        new = dynamodb.accept(a_request("1"))

        dynamodb.mark_published(old)
        dynamodb.record_deferral(old, 1, "reason")
        with pytest.raises(RetryLater):
            dynamodb.begin(old)
        with pytest.raises(RetryLater):
            dynamodb.settle(old, outcome())
        assert dynamodb.settle_unbegun(old, outcome()) is None

        assert dynamodb.find(new.id) == replace(new, fresh=False)
        assert dynamodb.begin(new) is None
        assert dynamodb.settle(new, outcome()) == outcome()

    def test_only_requests_expire(self, dynamodb: Ledger, clock: Clock) -> None:
        leased(dynamodb, "1")
        leased(dynamodb, "1", PLAN)
        dynamodb.pause("orga_acme", 1)
        dynamodb.bind(dynamodb.tenant("acme"), "orga_acme")
        items = dynamodb.dynamodb.scan(TableName=dynamodb.table)["Items"]

        expiries = {item["pk"]["S"].partition("#")[0]: item.get("expires_at") for item in items}
        expiry = {"N": f"{clock() + 90 * 86400:.0f}"}
        assert expiries == {"REQUEST": expiry, "TYPE": None, "SHARED-FIELD": None, "ORGANIZATION": None, "TENANT": None}

    def test_an_expired_request_does_not_come_back_as_a_shadow(self, dynamodb: Ledger) -> None:
        record = dynamodb.accept(a_request("1"))
        dynamodb.dynamodb.delete_item(TableName=dynamodb.table, Key={"pk": {"S": f"REQUEST#{record.id}"}})
        dynamodb.mark_published(record)
        dynamodb.record_deferral(record, 1, "reason")

        assert dynamodb.find(record.id) is None

    @pytest.mark.parametrize("method", ["put_item", "update_item", "transact_write_items"])
    def test_a_write_sent_twice_by_the_sdk_counts_once(self, dynamodb: Ledger, clock: Clock, method: str) -> None:
        """The response to the first write is lost on its way back."""
        dynamodb = _with(dynamodb, method, _twice)
        lease = leased(dynamodb, "1")
        record = dynamodb.accept(a_request("1"))

        assert lease.record == ResourceRecord(ACCOUNT, fencing_token=1)
        assert dynamodb.settle(record, outcome(), [observed(lease, "cotype_1", clock())]) == outcome()
        again = leased(dynamodb, "2")
        assert again.record == ResourceRecord(ACCOUNT, fencing_token=2, close_id="cotype_1", last_observed_at=clock())
        dynamodb.release([again])
        assert leased(dynamodb, "3").record.orphaned == ()

    def test_all_resources_of_the_largest_request_settle_together(self, dynamodb: Ledger, clock: Clock) -> None:
        fields = [{"name": f"Field {number}", "type": "text", "shared": True} for number in range(MAX_SHARED_FIELDS)]
        types = [{"name": f"Type {number}", "name_plural": "x", "fields": fields} for number in range(MAX_TYPES)]
        request = ProvisioningRequest.model_validate(
            {"tenant": "acme", "request_id": "1", "custom_object_types": types}
        )
        record = dynamodb.accept(request)
        leases = [dynamodb.lease(record, resource) for resource in resources_to_lock(request, "orga_acme")]

        dynamodb.settle(record, outcome(), [observed(lease, "x", clock()) for lease in leases])

        assert len(leases) == MAX_TYPES + MAX_SHARED_FIELDS
        assert {dynamodb.read(lease.resource).close_id for lease in leases} == {"x"}

    def test_the_record_of_a_type_with_all_fields_fits_its_item(self, dynamodb: Ledger, clock: Clock) -> None:
        lease = leased(dynamodb, "1")
        for number in range(MAX_FIELDS):
            name = f"field {number:0200d}"
            lease = written(lease, name, created(f"cf_{number:030d}", clock(), ID))
            lease = in_doubt(lease, f"other {name}", ID, clock())
        dynamodb.release([lease])

        again = leased(dynamodb, "2")
        assert (again.record.writes, again.record.in_doubt) == (lease.record.writes, lease.record.in_doubt)

    def test_an_accept_sent_twice_by_the_sdk_is_fresh(self, dynamodb: Ledger) -> None:
        assert _with(dynamodb, "put_item", _twice).accept(a_request("1")).fresh

    @pytest.mark.parametrize("conflicts", [1, 3])
    def test_a_conflict_of_transactions_is_retried(self, dynamodb: Ledger, conflicts: int) -> None:
        failing = _with(dynamodb, "update_item", _conflicting(conflicts))

        assert leased(failing, "1").fencing_token == 1

    def test_a_conflict_over_a_request_is_retried(self, dynamodb: Ledger) -> None:
        """It is delivered again while the transaction runs that settles it."""
        record = dynamodb.accept(a_request("1"))
        failing = _with(dynamodb, "put_item", _conflicting(3))

        assert failing.accept(a_request("1")).id == record.id

    def test_a_taken_lease_defers_the_request_after_any_number_of_deferrals(self, dynamodb: Ledger) -> None:
        leased(dynamodb, "1")
        waiting = replace(dynamodb.accept(a_request("2")), deferrals=5000)

        with pytest.raises(RetryLater) as busy:
            dynamodb.lease(waiting, ACCOUNT)
        assert 0 < busy.value.seconds <= 60

    def test_the_waitlist_of_a_tenant_is_bounded(self, dynamodb: Ledger, clock: Clock) -> None:
        """One item holds, and one event resumes, a limited number. The others return on their own schedule."""
        waiting = TenantWaitlist(dynamodb.dynamodb, dynamodb.table, dynamodb.retention_days, clock)
        for number in range(MAX_WAITERS):
            waiting.add("acme", f"request {number}")
        record = dynamodb.accept(a_request("1"))

        assert dynamodb.record_tenant_deferral(record, 10, "Tenant 'acme' has no credential") == 1
        assert len(waiting.read("acme").request_keys) == MAX_WAITERS
        assert record.id not in waiting.read("acme").request_keys

    @pytest.mark.parametrize("waiters", [2, MAX_WAITERS])
    def test_a_request_that_was_added_again_stays_on_the_waitlist(
        self, dynamodb: Ledger, clock: Clock, waiters: int
    ) -> None:
        """A full waitlist counts it, too."""
        waiting = TenantWaitlist(dynamodb.dynamodb, dynamodb.table, dynamodb.retention_days, clock)
        for number in range(waiters):
            waiting.add("acme", f"request {number}")
        read = waiting.read("acme")
        waiting.add("acme", "request 1")
        waiting.remove("acme", read)
        assert waiting.read("acme").request_keys == read.request_keys

        waiting.remove("acme", waiting.read("acme"))
        assert waiting.read("acme").request_keys == []

    def test_endless_conflicts_defer_the_request(self, dynamodb: Ledger) -> None:
        failing = _with(dynamodb, "update_item", _conflicting(100))

        assert is_busy(lambda: leased(failing, "1"))

    def test_any_other_failure_is_raised(self, dynamodb: Ledger) -> None:
        failing = _with(dynamodb, "update_item", _failing("ProvisionedThroughputExceededException"))

        with pytest.raises(ClientError):
            leased(failing, "1")

    def test_any_other_failure_of_a_transaction_is_raised(self, dynamodb: Ledger) -> None:
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
