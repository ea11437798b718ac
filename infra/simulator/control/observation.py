"""Control calls that show the request log and the state."""

from dataclasses import asdict

from infra.simulator.api.custom_object_types import shown_type
from infra.simulator.control.bodies import Body, organization_in
from infra.simulator.control.organizations import control_call
from infra.simulator.service import Service
from infra.simulator.state import Organization


def requests(service: Service, body: Body) -> Body:
    """Return the log, oldest entry first, filtered by ``method``, ``path`` and ``organization``."""
    names = {"method": "method", "path": "path", "organization": "organization_id"}
    filters = {names[key]: value for key, value in body.items() if key in names}
    log = [asdict(entry) for entry in service.state.log]
    return {"data": [entry for entry in log if all(entry[name] == value for name, value in filters.items())]}


def forget_requests(service: Service, _: Body) -> Body:
    service.state.log.clear()
    return {"data": []}


def state(service: Service, body: Body) -> Body:
    """Return the state, unlisted types included, of one ``organization`` if given."""
    chosen = [organization_in(service, body)] if "organization" in body else service.state.organizations.values()
    return {
        "organizations": {organization.id: _state_of(service, organization) for organization in chosen},
        "pending": service.pending(),
        "fired": service.schedule.fired(body.get("organization")),
    }


def _state_of(service: Service, organization: Organization) -> Body:
    call = control_call(service, organization)
    return {
        "types": [
            {**shown_type(call, stored), "is_archived": stored.data["is_archived"], "listed": call.is_listed(stored)}
            for stored in organization.existing_types()
        ],
        "fields": [call.with_dates(stored.data) for stored in organization.fields.values()],
        "shared_fields": [call.with_dates(stored.data) for stored in organization.shared_fields.values()],
        "duplicates": organization.duplicates(),
        "creates": organization.creates,
    }
