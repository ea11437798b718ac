"""Which organization a tenant's request works in, and whether Close may be called for it now.

Resources are leased by organization, not by tenant: two tenants may hold keys of one organization, and a tenant's new
key may open another one. The organization that a tenant's credential opened first is remembered; another one is
rejected until the tenant's secret names it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from provisioner.contract.errors import ProblemType, ProvisioningError, RateLimited, RetryLater
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.lease import ResourceRecord
from provisioner.ledger.models import RequestRecord, TenantRecord
from provisioner.reconcile.plan import resources_to_lock
from provisioner.reconcile.ports import Ledger, Organization
from provisioner.reconcile.safety import Indeterminate


class Tenancy(NamedTuple):
    """``clock`` gives Unix seconds."""

    ledger: Ledger
    clock: Callable[[], float]

    def identify(self, tenant: str, organization: Organization) -> str:
        """Have the credential ready, and return the id of the organization that it must open. Nothing is written."""
        known = self._read(tenant, organization)
        with self._pausing(tenant):
            return self._expect(known, organization)

    def bind(self, record: RequestRecord, request: ProvisioningRequest, organization: Organization) -> str:
        """Do the same, and remember the organization for the tenant before any of its resources is leased.

        Raises ``Indeterminate`` if a create of this request may land in an earlier organization of the tenant.
        """
        known = self._read(request.tenant, organization)
        with self._pausing(request.tenant):
            organization_id = self._expect(known, organization)
            if organization_id != known.organization:
                known = self._rebind(known, organization, organization_id)
        self._check_earlier_organizations(record, request, known)
        return organization_id

    def confirm(self, record: RequestRecord, request: ProvisioningRequest, organization_id: str) -> None:
        """Check under the leases that the tenant was not moved to another organization since ``bind``.

        A run that moves the tenant looks at the resources of the earlier organization only after that. So either this
        run sees the move, or the other one sees the leases of this run. Raises ``RetryLater`` or ``Indeterminate``.
        """
        known = self.ledger.tenant(request.tenant)
        if known.organization != organization_id:
            raise RetryLater("the tenant was moved to another organization meanwhile", 1)
        self._check_earlier_organizations(record, request, known)

    def check_pause(self, organization_id: str) -> None:
        """Raise ``RetryLater`` while Close must not be called for the organization."""
        self._wait_until(self.ledger.paused_until(organization_id))

    def pause(self, organization_id: str, error: ProvisioningError) -> None:
        """Let every worker know of a rate limit."""
        if isinstance(error, RateLimited):
            self.ledger.pause(organization_id, self.clock() + error.seconds)

    def read_resources(self, request: ProvisioningRequest, organization_id: str) -> list[ResourceRecord]:
        """Return what the ledger remembers of the request's resources in the organization."""
        return [self.ledger.read(resource) for resource in resources_to_lock(request, organization_id)]

    def _read(self, tenant: str, organization: Organization) -> TenantRecord:
        organization.prepare()
        known = self.ledger.tenant(tenant)
        self._wait_until(known.paused_until)
        return known

    def _wait_until(self, moment: float) -> None:
        if (wait := moment - self.clock()) > 0:
            raise RetryLater("Close asked this service to pause for this organization (429)", wait)

    def _expect(self, known: TenantRecord, organization: Organization) -> str:
        """The organization that the secret names, or else the one that the tenant's credential opened first."""
        organization_id = organization.pinned_id or known.organization or organization.identify()
        organization.expect(organization_id)
        return organization_id

    def _rebind(self, known: TenantRecord, organization: Organization, organization_id: str) -> TenantRecord:
        if known.organization and organization.renew():  # perhaps only this worker's copy of the secret is old
            raise RetryLater("the tenant's credential was renewed", 0)
        organization.verify()
        bound = self.ledger.bind(known, organization_id)
        if bound.organization != organization_id:
            raise RetryLater("another worker found another organization for this tenant", 1)
        return bound

    def _check_earlier_organizations(
        self, record: RequestRecord, request: ProvisioningRequest, known: TenantRecord
    ) -> None:
        """Raise ``Indeterminate`` if a create of this request may land in an organization that is not looked at."""
        for organization_id in known.earlier:
            for each in self.read_resources(request, organization_id):
                if each.was_written_by(record.id) or each.may_have_created(record.id):
                    detail = (
                        f"This request began to create types in organization {organization_id}, and then the secret of "
                        f"tenant {known.tenant!r} was changed to organization {known.organization}."
                    )
                    raise Indeterminate(ProblemType.UNRESOLVED, detail)

    @contextmanager
    def _pausing(self, tenant: str) -> Iterator[None]:
        """Let every worker know of a rate limit that is met before the tenant's organization is known."""
        try:
            yield
        except RateLimited as error:
            self.ledger.pause_tenant(tenant, self.clock() + error.seconds)
            raise
