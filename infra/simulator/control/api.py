"""The control API: a table of calls, and the way back to the beginning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.simulator.api.requests import Request
from infra.simulator.api.responses import Answer, error_answer, json_answer
from infra.simulator.api.routes import KNOWN, parameters_of
from infra.simulator.control import behavior, observation
from infra.simulator.control import organizations as registry
from infra.simulator.control.bodies import Body, refuse_unknown
from infra.simulator.faults.catalog import KINDS
from infra.simulator.options import Switches
from infra.simulator.service import Service

PREFIX = "/_control/"

_CALLS: tuple[tuple[str, str, Callable[[Service, Body], Body]], ...] = (
    ("GET", "organizations/", registry.organizations),
    ("POST", "organizations/", registry.add_organization),
    ("PATCH", "organizations/{organization}/", registry.change_organization),
    ("POST", "organizations/{organization}/clear/", registry.clear_organization),
    ("POST", "organizations/{organization}/keys/", registry.add_key),
    ("POST", "organizations/{organization}/types/", registry.add_type),
    ("POST", "organizations/{organization}/fields/", registry.add_field),
    ("POST", "organizations/{organization}/associations/", registry.add_association),
    ("POST", "organizations/{organization}/codes/", registry.add_code),
    ("POST", "organizations/{organization}/tokens/", registry.add_tokens),
    ("POST", "oauth_clients/", registry.add_oauth_client),
    ("POST", "revoke/", registry.revoke),
    ("GET", "switches/", behavior.switches),
    ("PATCH", "switches/", behavior.change_switches),
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
    """What stands behind ``/_control/``. ``setup`` (switches, organizations) is what a reset goes back to."""

    service: Service = field(default_factory=Service)
    setup: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_unknown(self.setup, {"switches", "organizations"})
        self._set_up()

    def answer(self, request: Request) -> Answer:
        """Each call is one step under the world's lock."""
        body = request.json_object() if request.body else {}
        if body is None:
            return error_answer(400, "The body must be a JSON object.")
        try:
            with self.service.world.lock:
                result = self._called(request, body)
        except LookupError as error:
            return error_answer(404, f"no such thing: {error}")
        except (TypeError, ValueError) as error:
            return error_answer(400, str(error))
        if result is None:
            return error_answer(501, f"no control call {request.method} {request.path}", known=_KNOWN)
        return json_answer(result)

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
        """Back to the setup; or only parts: ``{"only": ["faults", "requests", "switches", "types"]}``."""
        parts = {
            "faults": self._reset_faults,
            "requests": self.service.world.log.clear,
            "switches": self._reset_switches,
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
        self.service.world.clear()
        self._reset_switches()
        for organization in self.setup.get("organizations", ()):
            registry.add_organization(self.service, organization)

    def _reset_faults(self) -> None:
        self.service.forget_pending()
        self.service.orders.reset()

    def _reset_switches(self) -> None:
        self.service.world.switches = Switches().changed(self.setup.get("switches", {}))

    def _reset_types(self) -> None:
        for organization in self.service.world.organizations.values():
            organization.clear()


def index() -> Body:
    """What there is to know, to call, to order and to switch."""
    return {
        "close": KNOWN,
        "control": _KNOWN,
        "faults": {name: {"does": kind.summary, **kind.complete({})} for name, kind in KINDS.items()},
        "switches": Switches.choices(),
    }
