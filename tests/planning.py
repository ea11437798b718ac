"""Plan a request as the use case does: match first, then plan."""

from collections.abc import Collection, Mapping

from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.lease import ResourceRecord
from provisioner.reconcile.match import match_resources
from provisioner.reconcile.plan import ObservedState, Plan, resources_to_lock
from provisioner.reconcile.planner import make_plan

ORGANIZATION = "orga_acme"


def plan(
    request: ProvisioningRequest,
    state: ObservedState,
    ids: Mapping[str, str] | None = None,
    created_by_request: Collection[str] = (),
) -> Plan:
    """Plan a request. ``ids``: the known ids of types in Close, by natural key."""
    state = state._replace(organization=ORGANIZATION)
    records = {
        resource: ResourceRecord(resource, close_id=(ids or {}).get(resource.name))
        for resource in resources_to_lock(request, ORGANIZATION)
    }
    return make_plan(request, state, match_resources(request, state, records), created_by_request)
