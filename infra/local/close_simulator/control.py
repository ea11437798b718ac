"""The control API: who may enter, how Close behaves, which faults are on order, and what has happened."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from infra.local.close_simulator.accounts import grant
from infra.local.close_simulator.answers import Answer, error_answer, json_answer
from infra.local.close_simulator.calls import Call, Request
from infra.local.close_simulator.custom_object_types import keep_type, shown_type
from infra.local.close_simulator.faults import KINDS
from infra.local.close_simulator.orders import Aim, Chaos, complete
from infra.local.close_simulator.rate_limits import RateLimit
from infra.local.close_simulator.routes import KNOWN, parameters_of
from infra.local.close_simulator.service import Service, suffix
from infra.local.close_simulator.store import Credential, Organization, Stored, new_id, new_secret
from infra.local.close_simulator.switches import Switches

PREFIX = "/_control/"

type Body = dict[str, Any]


@dataclass(slots=True)
class Control:
    """What stands behind ``/_control/``. ``setup`` is what a reset goes back to: switches and organisations."""

    service: Service = field(default_factory=Service)
    setup: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._set_up()

    def answer(self, request: Request) -> Answer:
        body = request.json_object() if request.body else {}
        if body is None:
            return error_answer(400, "The body must be a JSON object.")
        for method, pattern, operation in _OPERATIONS:
            parameters = parameters_of(PREFIX + pattern, request.path)
            if parameters is not None and method == request.method:
                return self._carried_out(operation, {**request.query, **body, **parameters})
        known = [f"{method} {PREFIX}{pattern}" for method, pattern, _ in _OPERATIONS]
        return error_answer(501, f"no control call {request.method} {request.path}", known=known)

    def _carried_out(self, operation: "Operation", body: Body) -> Answer:
        try:
            with self.service.world.lock:
                return json_answer(operation(self, body))
        except LookupError as error:
            return error_answer(404, f"no such thing: {error}")
        except (TypeError, ValueError) as error:
            return error_answer(400, str(error))

    def index(self, _: Body) -> Body:
        return {
            "close": KNOWN,
            "control": [f"{method} {PREFIX}{pattern}" for method, pattern, _ in _OPERATIONS],
            "faults": {name: {"does": kind.summary, **kind.complete({})} for name, kind in KINDS.items()},
            "switches": Switches.choices(),
        }

    # --- organisations and who may enter

    def organizations(self, _: Body) -> Body:
        return {"data": [self._shown(found) for found in self.service.world.organizations.values()]}

    def add_organization(self, body: Body) -> Body:
        """Keys that were made up are told here, and only here."""
        body = dict(body)
        new = Organization(body.pop("id", None) or new_id("orga"), body.pop("name", "An organisation"))
        if new.id in self.service.world.organizations:
            raise ValueError(f"organization {new.id} exists")
        keys, types = body.pop("keys", []) or [new_secret("api")], body.pop("types", [])
        _change(new, body)
        self.service.world.organizations[new.id] = new
        for key in keys:
            self.add_key({"organization": new.id, "key": key})
        for seeded in types:
            self.add_type({"organization": new.id, **seeded})
        return {**self._shown(new), "keys": keys}

    def change_organization(self, body: Body) -> Body:
        changes = dict(body)
        organization = self._organization(changes)
        changes.pop("organization")
        _change(organization, changes)
        return self._shown(organization)

    def clear_organization(self, body: Body) -> Body:
        organization = self._organization(body)
        organization.clear()
        return self._shown(organization)

    def add_key(self, body: Body) -> Body:
        organization, key = self._organization(body), body.get("key") or new_secret("api")
        if key in self.service.world.credentials:
            raise ValueError("that key exists")
        limit = _rate_limit(body.get("rate_limit"))
        self.service.world.credentials[key] = Credential("api_key", key, organization.id, rate_limit=limit)
        return {"organization": organization.id, "key": key}

    def revoke(self, body: Body) -> Body:
        """Of a key or an access token. ``{"revoked": false}`` brings it back to life."""
        credential = self.service.world.credentials[body["key"]]
        credential.revoked = body.get("revoked", True)
        return {"key": suffix(credential.text), "revoked": credential.revoked}

    def add_oauth_client(self, body: Body) -> Body:
        client_id, secret = body.get("client_id") or new_id("oa2client"), body.get("client_secret") or new_secret("sec")
        self.service.world.oauth_clients[client_id] = secret
        return {"client_id": client_id, "client_secret": secret}

    def add_code(self, body: Body) -> Body:
        """An authorisation code, as if the user had consented."""
        code = new_secret("code")
        self.service.world.authorization_codes[code] = self._organization(body).id
        return {"code": code}

    def add_tokens(self, body: Body) -> Body:
        return grant(self.service.world, self._organization(body).id, body.get("client_id", ""))

    # --- types, without auth or faults

    def add_type(self, body: Body) -> Body:
        """Seeds a type. Nothing is checked, so it may be a duplicate; ``date_created`` is taken as given."""
        data = dict(body)
        organization = self._organization(data)
        data.pop("organization")
        for key in ("date_created", "date_updated"):
            if key in data:
                data[key] = _moment(data[key])
        call = self._call(organization)
        seeded = keep_type(call, {"name_plural": f"{data['name']}s", **data})
        return shown_type(call, seeded)

    # --- behaviour

    def switches(self, _: Body) -> Body:
        return self.service.world.switches.as_dict()

    def change_switches(self, body: Body) -> Body:
        self.service.world.switches = self.service.world.switches.changed(body)
        return self.switches({})

    def arm(self, body: Body) -> Body:
        known = {"name", "method", "path", "organization", "type_name", "times", "skip", "parameters"}
        _refuse_unknown(body, known)
        order = self.service.orders.arm(
            body["name"], _aim(body), body.get("parameters", {}), body.get("times", 1), body.get("skip", 0)
        )
        return asdict(order)

    def faults(self, body: Body) -> Body:
        orders, organization = self.service.orders, body.get("organization")
        return {
            "fired": orders.fired(organization),
            "pending": self.service.pending(),
            "armed": [asdict(o) for o in orders.orders if organization in {None, o.aim.organization}],
            "chaos": _shown_chaos(orders.chaos),
        }

    def disarm(self, body: Body) -> Body:
        self.service.orders.disarm(body.get("organization"))
        return self.faults({})

    def set_chaos(self, body: Body) -> Body:
        known = {"seed", "probability", "mix", "parameters", "times", "times_each"}
        _refuse_unknown(body, known | {"method", "path", "organization", "type_name"})
        mix = body["mix"] if isinstance(body["mix"], dict) else dict.fromkeys(body["mix"], 1)
        given: Mapping[str, Mapping[str, Any]] = body.get("parameters", {})
        _refuse_unknown(given, set(mix))
        parameters = {name: complete(name, given.get(name, {})) for name in mix}
        self.service.orders.chaos = Chaos(
            body["seed"], body["probability"], mix, _aim(body), parameters, body.get("times"), body.get("times_each")
        )
        return self.faults({})

    # --- what has happened

    def requests(self, body: Body) -> Body:
        wanted: Body = {key: body[key] for key in ("method", "path") if key in body}
        if "organization" in body:
            wanted["organization_id"] = body["organization"]
        log = [asdict(entry) for entry in self.service.world.log]
        return {"data": [entry for entry in log if all(entry[key] == value for key, value in wanted.items())]}

    def forget_requests(self, _: Body) -> Body:
        self.service.world.log.clear()
        return {"data": []}

    def state(self, body: Body) -> Body:
        """Everything, types that the list does not show (yet) included."""
        found = self.service.world.organizations
        chosen = [self._organization(body)] if "organization" in body else list(found.values())
        return {
            "organizations": {organization.id: self._state_of(organization) for organization in chosen},
            "pending": self.service.pending(),
            "fired": self.service.orders.fired(body.get("organization")),
        }

    def reset(self, body: Body) -> Body:
        """Back to the setup; or only parts: ``{"only": ["faults", "requests", "switches", "types"]}``."""
        parts = {
            "faults": self._reset_faults,
            "requests": self.service.world.log.clear,
            "switches": self._reset_switches,
            "types": self._reset_types,
        }
        only = body.get("only", [*parts])
        _refuse_unknown(dict.fromkeys(only), set(parts))
        for part in only:
            parts[part]()
        if "only" not in body:
            self._set_up()
        return {"reset": only}

    def _set_up(self) -> None:
        world = self.service.world
        holdings = (world.organizations, world.credentials, world.oauth_clients, world.authorization_codes)
        for held in (*holdings, world.refresh_tokens):
            held.clear()
        world.windows.clear()
        self._reset_switches()
        for organization in self.setup.get("organizations", ()):
            self.add_organization(dict(organization))

    def _reset_faults(self) -> None:
        self.service.forget_pending()
        self.service.orders.reset()

    def _reset_switches(self) -> None:
        self.service.world.switches = Switches().changed(self.setup.get("switches", {}))

    def _reset_types(self) -> None:
        for organization in self.service.world.organizations.values():
            organization.clear()

    def _organization(self, body: Body) -> Organization:
        return self.service.world.organizations[body["organization"]]

    def _call(self, organization: Organization) -> Call:
        switches = self.service.world.switches_of(organization)
        return Call(self.service.world, organization, switches, _NO_REQUEST, {})

    def _shown(self, organization: Organization) -> Body:
        credentials = self.service.world.credentials.values()
        mine = [found for found in credentials if found.organization_id == organization.id]
        return {
            "id": organization.id,
            **{key: getattr(organization, key) for key in ("name", "user_id", *_SETTINGS)},
            "rate_limit": asdict(organization.rate_limit) if organization.rate_limit else None,
            "credentials": [{"key": suffix(c.text), "kind": c.kind, "valid": c.valid} for c in mine],
        }

    def _state_of(self, organization: Organization) -> Body:
        call = self._call(organization)

        def shown(stored: Stored) -> Body:
            return {**shown_type(call, stored), "is_archived": stored.data["is_archived"], "listed": stored.listed}

        return {
            "types": [shown(stored) for stored in organization.existing_types()],
            "fields": [call.with_dates(stored.data) for stored in organization.fields.values()],
            "shared_fields": [call.with_dates(stored.data) for stored in organization.shared_fields.values()],
            "duplicates": organization.duplicates(),
            "creates": organization.creates,
        }


type Operation = Callable[[Control, Body], Body]

_OPERATIONS: tuple[tuple[str, str, Operation], ...] = (
    ("GET", "", Control.index),
    ("GET", "organizations/", Control.organizations),
    ("POST", "organizations/", Control.add_organization),
    ("PATCH", "organizations/{organization}/", Control.change_organization),
    ("POST", "organizations/{organization}/clear/", Control.clear_organization),
    ("POST", "organizations/{organization}/keys/", Control.add_key),
    ("POST", "organizations/{organization}/types/", Control.add_type),
    ("POST", "organizations/{organization}/codes/", Control.add_code),
    ("POST", "organizations/{organization}/tokens/", Control.add_tokens),
    ("POST", "oauth_clients/", Control.add_oauth_client),
    ("POST", "revoke/", Control.revoke),
    ("GET", "switches/", Control.switches),
    ("PATCH", "switches/", Control.change_switches),
    ("GET", "faults/", Control.faults),
    ("POST", "faults/", Control.arm),
    ("DELETE", "faults/", Control.disarm),
    ("PUT", "chaos/", Control.set_chaos),
    ("GET", "requests/", Control.requests),
    ("DELETE", "requests/", Control.forget_requests),
    ("GET", "state/", Control.state),
    ("POST", "reset/", Control.reset),
)

_SETTINGS = ("switches", "has_custom_objects", "may_customize", "max_types")
_NO_REQUEST = Request("POST", "", {}, {}, b"", "")


def _change(organization: Organization, settings: Body) -> None:
    """Settings of an organisation. Its switches are added to those that it has; ``null`` takes one away."""
    _refuse_unknown(settings, {"name", "rate_limit", *_SETTINGS})
    changes = dict(settings)
    if "switches" in changes:
        merged = {**organization.switches, **changes["switches"]}
        changes["switches"] = {name: value for name, value in merged.items() if value is not None}
        Switches().changed(changes["switches"])
    if "rate_limit" in changes:
        changes["rate_limit"] = _rate_limit(changes["rate_limit"])
    for name, value in changes.items():
        setattr(organization, name, value)


def _rate_limit(setting: Body | None) -> RateLimit | None:
    return RateLimit(setting["requests"], setting.get("window_seconds", 8.0)) if setting else None


def _aim(body: Body) -> Aim:
    return Aim(**{key: body[key] for key in ("method", "path", "organization", "type_name") if key in body})


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown_chaos(chaos: Chaos | None) -> Body | None:
    if chaos is None:
        return None
    keys = ("seed", "probability", "mix", "parameters", "times", "times_each", "fired")
    return {**{key: getattr(chaos, key) for key in keys}, "aim": asdict(chaos.aim)}


def _refuse_unknown(given: Mapping[str, object], known: set[str]) -> None:
    if unknown := set(given) - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
