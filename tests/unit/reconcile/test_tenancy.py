"""Tenants and organizations: two tenants of one organization, and a key that opens another organization than before."""

import base64
from collections.abc import Callable

import pytest

from provisioner.close.client import CloseApi
from provisioner.close.list_cache import Organization
from provisioner.close.models import Credential
from provisioner.close.transport import Connection
from provisioner.contract.outcome import Outcome
from provisioner.ledger.lease import Lease, ResourceKey
from provisioner.ledger.models import RequestRecord, TenantRecord
from provisioner.reconcile.retries import Deferred
from tests.close import ID, KEY, LOST, OTHER_ID, OTHER_KEY
from tests.fakes import MemoryWorld, a_request, kind_of

FIELDS = {"fields": [{"name": "Seats", "type": "number"}]}


def opened_by(world: MemoryWorld, *keys: tuple[str, str | None]) -> Organization:
    """The organization that a secret opens: a key and the ``organization_id`` beside it; later ones replace it."""
    held = [_credential(*each) for each in keys]

    def credential(rejected: Credential | None) -> Credential:
        return held[-1] if rejected else held[0]

    close = world.close
    return Organization(
        CloseApi(Connection(close.http, close.simulator.api_url, credential, 20, lambda: 60, world.clock))
    )


def _credential(key: str, organization_id: str | None) -> Credential:
    return Credential(f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}", key, organization_id)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


@pytest.fixture
def other_names(world: MemoryWorld) -> Callable[[], list[str]]:
    organizations = world.close.simulator.service.state.organizations
    return lambda: [each.data["name"] for each in organizations[OTHER_ID].existing_types()]


class TestHole1:
    def test_hole_1_two_tenants_of_one_organization_make_one_type(self, world: MemoryWorld) -> None:
        created = world.reconcile(a_request("1", spec=FIELDS))
        found = world.reconcile(a_request("2", spec=FIELDS, tenant="org_456"))

        assert isinstance(created, Outcome)
        assert isinstance(found, Outcome)
        assert (created.result, found.result) == ("created", "unchanged")
        assert world.close.names == ["Account"]

    def test_hole_1_two_tenants_of_one_organization_share_its_leases(self, world: MemoryWorld) -> None:
        world.lease_and_vanish(a_request("1"))

        assert isinstance(world.reconcile(a_request("2", tenant="org_456")), Deferred)

    def test_hole_1_two_tenants_of_one_organization_share_its_rate_limit(self, world: MemoryWorld) -> None:
        world.reconcile(a_request("1"))
        world.reconcile(a_request("2", tenant="org_456"))
        world.ledger.pause(ID, world.clock() + 30)

        for tenant in ("acme", "org_456"):
            deferred = world.reconcile(a_request("3", tenant=tenant))
            assert isinstance(deferred, Deferred)
            assert deferred.seconds == 30


class TestHole2:
    def test_hole_2_the_organization_of_the_first_use_is_remembered(self, world: MemoryWorld) -> None:
        world.reconcile(a_request("1"))

        assert world.ledger.tenant("acme") == TenantRecord("acme", ID)

    def test_hole_2_a_key_of_another_organization_writes_nothing(
        self, world: MemoryWorld, other_names: Callable[[], list[str]]
    ) -> None:
        world.reconcile(a_request("1"))

        outcome = world.reconcile(a_request("2", "Deal"), opened_by(world, (OTHER_KEY, None)))

        assert isinstance(outcome, Outcome)
        assert (outcome.result, kind_of(outcome)) == ("failed", "wrong-organization")
        assert (world.close.names, other_names()) == (["Account"], [])

    def test_hole_2_an_old_copy_of_the_secret_fails_no_request(self, world: MemoryWorld) -> None:
        world.reconcile(a_request("1"))

        result = world.reconcile(a_request("2", "Deal"), opened_by(world, (OTHER_KEY, None), (KEY, None)))

        assert isinstance(result, Deferred)
        assert result.reason == "the tenant's credential was renewed"

    def test_hole_2_another_organization_says_nothing_of_a_create_in_doubt(
        self, world: MemoryWorld, other_names: Callable[[], list[str]]
    ) -> None:
        world.close.faults = [LOST]
        assert isinstance(world.reconcile(a_request("1")), Deferred)
        world.clock.advance(1_000)

        outcome = world.reconcile(a_request("1"), opened_by(world, (OTHER_KEY, None)))

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"
        assert (world.close.names, other_names()) == (["Account"], [])

    def test_hole_2_a_secret_that_names_another_organization_moves_the_tenant(
        self, world: MemoryWorld, other_names: Callable[[], list[str]]
    ) -> None:
        world.reconcile(a_request("1"))
        moved = (OTHER_KEY, OTHER_ID)

        outcome = world.reconcile(a_request("2"), opened_by(world, moved))

        assert isinstance(outcome, Outcome)
        assert (outcome.result, other_names()) == ("created", ["Account"])
        assert world.ledger.tenant("acme") == TenantRecord("acme", OTHER_ID, (ID,))

    def test_hole_2_a_request_that_began_in_the_former_organization_is_unresolved(
        self, world: MemoryWorld, other_names: Callable[[], list[str]]
    ) -> None:
        world.close.faults = [LOST]
        world.reconcile(a_request("1"))
        world.clock.advance(1_000)

        outcome = world.reconcile(a_request("1"), opened_by(world, (OTHER_KEY, OTHER_ID)))

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"
        assert outcome.problem
        assert f"began to create types in organization {ID}" in outcome.problem.detail
        assert other_names() == []

    def test_hole_2_a_wrong_name_in_the_secret_binds_nothing(self, world: MemoryWorld) -> None:
        outcome = world.reconcile(a_request("1"), opened_by(world, (KEY, "orga_typo")))

        assert isinstance(outcome, Outcome)
        assert kind_of(outcome) == "wrong-organization"
        assert world.ledger.tenant("acme") == TenantRecord("acme")


class TestATenantThatIsMovedWhileItsRequestRunsTwice:
    MOVED = (OTHER_KEY, OTHER_ID)

    @pytest.fixture
    def other_run(self, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
        """Runs to play just before the next lease is taken."""
        runs: list[Callable[[], object]] = []
        lease = world.ledger.lease

        def after_the_others(record: RequestRecord, resource: ResourceKey) -> Lease:
            while runs:
                runs.pop()()
            return lease(record, resource)

        monkeypatch.setattr(world.ledger, "lease", after_the_others)
        return runs

    def test_one_of_the_two_runs_creates(
        self, world: MemoryWorld, other_names: Callable[[], list[str]], other_run: list[Callable[[], object]]
    ) -> None:
        world.reconcile(a_request("0", "Deal"))
        other_run.append(lambda: world.reconcile(a_request("1"), opened_by(world, self.MOVED)))

        outcome = world.reconcile(a_request("1"))

        assert isinstance(outcome, Outcome)
        assert outcome.result == "created"
        assert (world.close.names, other_names()) == (["Deal"], ["Account"])

    def test_a_run_of_the_former_organization_comes_back_when_the_other_one_has_not_settled(
        self, world: MemoryWorld, other_names: Callable[[], list[str]], other_run: list[Callable[[], object]]
    ) -> None:
        world.reconcile(a_request("0", "Deal"))
        world.close.faults = [LOST]
        other_run.append(lambda: world.reconcile(a_request("1"), opened_by(world, self.MOVED)))

        deferred = world.reconcile(a_request("1"))

        assert isinstance(deferred, Deferred)
        assert deferred.reason == "the tenant was moved to another organization meanwhile"
        world.clock.advance(61)
        outcome = world.reconcile(a_request("1"), opened_by(world, self.MOVED))
        assert isinstance(outcome, Outcome)
        assert outcome.result == "recovered"
        assert (world.close.names, other_names()) == (["Deal"], ["Account"])

    def test_a_tenant_that_was_moved_and_moved_back_is_unresolved(
        self, world: MemoryWorld, other_names: Callable[[], list[str]], other_run: list[Callable[[], object]]
    ) -> None:
        world.reconcile(a_request("0", "Deal"))

        def there_and_back() -> None:
            world.close.faults = [LOST]
            world.reconcile(a_request("1"), opened_by(world, self.MOVED))
            world.reconcile(a_request("2", "Deal"), opened_by(world, (KEY, ID)))

        other_run.append(there_and_back)

        outcome = world.reconcile(a_request("1"))

        assert isinstance(outcome, Outcome)
        assert outcome.result == "unresolved"
        assert (world.close.names, other_names()) == (["Deal"], ["Account"])
