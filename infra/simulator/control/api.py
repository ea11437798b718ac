"""The control API: a table of its calls, and the reset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.simulator.api.requests import Request
from infra.simulator.api.responses import Response, error_response, json_response
from infra.simulator.api.routes import KNOWN, parameters_of
from infra.simulator.control import behavior, observation, organizations
from infra.simulator.control.bodies import Body, refuse_unknown
from infra.simulator.faults.catalog import KINDS
from infra.simulator.options import Options
from infra.simulator.service import Service

PREFIX = "/_control/"

_CALLS: tuple[tuple[str, str, Callable[[Service, Body], Body]], ...] = (
    ("GET", "organizations/", organizations.list_organizations),
    ("POST", "organizations/", organizations.add_organization),
    ("PATCH", "organizations/{organization}/", organizations.change_organization),
    ("DELETE", "organizations/{organization}/", organizations.remove_organization),
    ("POST", "organizations/{organization}/clear/", organizations.clear_organization),
    ("POST", "organizations/{organization}/keys/", organizations.add_key),
    ("POST", "organizations/{organization}/types/", organizations.add_type),
    ("POST", "organizations/{organization}/fields/", organizations.add_field),
    ("POST", "organizations/{organization}/associations/", organizations.add_association),
    ("POST", "organizations/{organization}/codes/", organizations.add_code),
    ("POST", "organizations/{organization}/tokens/", organizations.add_tokens),
    ("POST", "oauth_clients/", organizations.add_oauth_client),
    ("POST", "revoke/", organizations.revoke),
    ("GET", "options/", behavior.options),
    ("PATCH", "options/", behavior.change_options),
    ("GET", "faults/", behavior.faults),
    ("POST", "faults/", behavior.arm),
    ("DELETE", "faults/", behavior.disarm),
    ("PUT", "chaos/", behavior.set_chaos),
    ("GET", "requests/", observation.requests),
    ("DELETE", "requests/", observation.forget_requests),
    ("GET", "state/", observation.state),
)
_OWN = ("GET", ""), ("POST", "reset/")
_KNOWN = [f"{method} {PREFIX}{pattern}" for method, pattern in (*_OWN, *(call[:2] for call in _CALLS))]


@dataclass(slots=True)
class Control:
    """The control API below ``/_control/``. A reset restores ``setup`` (``options``, ``organizations``)."""

    service: Service = field(default_factory=Service)
    setup: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_unknown(self.setup, {"options", "organizations"})
        self._set_up()

    def handle(self, request: Request) -> Response:
        """Respond to a control call. Each call holds the state's lock."""
        body = request.json_object() if request.body else {}
        if body is None:
            return error_response(400, "The body must be a JSON object.")
        try:
            with self.service.state.lock:
                result = self._called(request, body)
        except LookupError as error:
            return error_response(404, f"not found: {error}")
        except (TypeError, ValueError) as error:
            return error_response(400, str(error))
        if result is None:
            return error_response(501, f"no control call {request.method} {request.path}", known=_KNOWN)
        return json_response(result)

    def _called(self, request: Request, body: Body) -> Body | None:
        path = request.path.removeprefix(PREFIX)
        if (request.method, path) == ("GET", ""):
            return index()
        if (request.method, path) == ("POST", "reset/"):
            return self.reset(body)
        for method, pattern, call in _CALLS:
            parameters = parameters_of(pattern, path)
            if parameters is not None and method == request.method:
                return call(self.service, {**request.query, **body, **parameters})
        return None

    def reset(self, body: Body) -> Body:
        """Restore the setup, or only parts: ``{"only": ["faults", "requests", "options", "types"]}``."""
        parts = {
            "faults": self._reset_faults,
            "requests": self.service.state.log.clear,
            "options": self._reset_options,
            "types": self._reset_types,
        }
        only = body.get("only") or [*parts]
        refuse_unknown(dict.fromkeys(only), parts)
        for part in only:
            parts[part]()
        if not body.get("only"):
            self._set_up()
        return {"reset": only}

    def _set_up(self) -> None:
        self.service.state.clear()
        self._reset_options()
        for organization in self.setup.get("organizations", ()):
            organizations.add_organization(self.service, organization)

    def _reset_faults(self) -> None:
        self.service.forget_pending()
        self.service.schedule.reset()

    def _reset_options(self) -> None:
        self.service.state.options = Options().changed(self.setup.get("options", {}))

    def _reset_types(self) -> None:
        for organization in self.service.state.organizations.values():
            organization.clear()


def index() -> Body:
    """List every route, control call, fault and option."""
    return {
        "close": KNOWN,
        "control": _KNOWN,
        "faults": {name: {"does": kind.summary, **kind.complete({})} for name, kind in KINDS.items()},
        "options": Options.choices(),
    }
