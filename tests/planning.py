"""Plan a request as the use case does: match first, then plan."""

from collections.abc import Collection, Mapping

from provisioner.contract.request import ProvisioningRequest
from provisioner.reconcile.match import match_resources
from provisioner.reconcile.plan import ObservedState, Plan
from provisioner.reconcile.planner import make_plan


def plan(
    request: ProvisioningRequest,
    state: ObservedState,
    ids: Mapping[str, str] | None = None,
    created_by_request: Collection[str] = (),
) -> Plan:
    """``ids``: known ids of types in Close, by natural key."""
    return make_plan(request, state, match_resources(request, state, ids or {}), created_by_request)
