"""Settle a request as failed without leases, from the ledger's records of its earlier runs."""

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.models import RequestRecord
from provisioner.reconcile import compute_outcome
from provisioner.reconcile.plan import Applied
from provisioner.reconcile.safety import Indeterminate
from provisioner.reconcile.tenancy import Tenancy

MAX_UNCHANGED = 98
"""Resources that one transaction can check beside the request and its tenant: DynamoDB takes at most 100 items."""


def fail_without_leases(
    tenancy: Tenancy, record: RequestRecord, request: ProvisioningRequest, rejection: Rejected
) -> Outcome:
    """Settle the request as failed, or as unresolved if one of its creates may still land.

    Raises ``RetryLater`` if another run takes a lease meanwhile: that run may still create.
    """
    known = tenancy.ledger.tenant(request.tenant)
    read = [each for one in known.organizations for each in tenancy.read_resources(request, one)]
    if record.has_begun and not known.organizations:  # the record of its organization was erased since
        rejection = Indeterminate(ProblemType.UNRESOLVED, str(rejection))
    if len(read) > MAX_UNCHANGED:  # only a large request of a tenant whose organization was changed
        rejection = Indeterminate(ProblemType.UNRESOLVED, str(rejection))
    applied = Applied({each.resource: each for each in read}, stopped_by=rejection)
    outcome = compute_outcome.make_outcome(record, request, applied, tenancy.clock())
    return tenancy.ledger.settle(record, outcome, unchanged=[known, *read[:MAX_UNCHANGED]])
