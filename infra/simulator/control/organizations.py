"""Control calls about organizations, their credentials, and objects made by hand."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime

from infra.simulator.api import accounts
from infra.simulator.api.custom_fields import FIELD_KEYS, shown_field, store_field
from infra.simulator.api.custom_object_types import TYPE_KEYS, shown_type, store_type
from infra.simulator.api.requests import Call, Request
from infra.simulator.api.responses import Refused
from infra.simulator.api.shared_fields import ASSOCIATION_KEYS, shown_shared, store_association, store_shared
from infra.simulator.control.bodies import Body, organization_in, refuse_unknown
from infra.simulator.options import Options
from infra.simulator.rate_limits import RateLimit
from infra.simulator.roles import is_list_of_strings, is_role
from infra.simulator.service import Service, suffix
from infra.simulator.state import Credential, Organization, new_id, new_secret

_SETTINGS = (
    *("has_custom_objects", "may_customize", "max_types", "max_fields"),
    *("roles", "role_id", "permissions_granted", "member_of"),
)
_DATES = ("date_created", "date_updated")
_OF_STORED = ("organization", "id", "list_lag_seconds", *_DATES)
_NO_REQUEST = Request("POST", "", {}, {}, b"", "")


def list_organizations(service: Service, _: Body) -> Body:
    return {"data": [_shown(service, found) for found in service.state.organizations.values()]}


def add_organization(service: Service, body: Body) -> Body:
    """Add the organization with its keys and types, or nothing. Only this response shows invented keys in full."""
    settings = dict(body)
    new = Organization(settings.pop("id", None) or new_id("orga"), settings.pop("name", "An organization"))
    keys, types = settings.pop("keys", None) or [new_secret("api")], settings.pop("types", None) or []
    if new.id in service.state.organizations:
        raise ValueError(f"organization {new.id} exists already")
    if not isinstance(keys, list) or not isinstance(types, list):
        raise TypeError("keys and types must be lists")
    _change(new, settings)
    service.state.organizations[new.id] = new
    try:
        for key in keys:
            add_key(service, {"organization": new.id, "key": key})
        for seeded in types:
            add_type(service, {**seeded, "organization": new.id})
    except (LookupError, TypeError, ValueError):
        remove_organization(service, {"organization": new.id})
        raise
    return {**_shown(service, new), "keys": keys}


def change_organization(service: Service, body: Body) -> Body:
    organization = organization_in(service, body)
    _change(organization, {name: value for name, value in body.items() if name != "organization"})
    return _shown(service, organization)


def remove_organization(service: Service, body: Body) -> Body:
    """Remove the organization with its objects and credentials."""
    removed = organization_in(service, body)
    del service.state.organizations[removed.id]
    for text in [text for text, held in service.state.credentials.items() if held.organization_id == removed.id]:
        del service.state.credentials[text]
    return {"removed": removed.id}


def clear_organization(service: Service, body: Body) -> Body:
    organization = organization_in(service, body)
    organization.clear()
    return _shown(service, organization)


def add_key(service: Service, body: Body) -> Body:
    organization, key = organization_in(service, body), body.get("key") or new_secret("api")
    if not isinstance(key, str) or ":" in key:
        raise ValueError("a key must be a string without colons")
    if key in service.state.credentials:
        raise ValueError("this key exists already")
    limit = _rate_limit(body.get("rate_limit"))
    service.state.credentials[key] = Credential("api_key", key, organization.id, rate_limit=limit)
    return {"organization": organization.id, "key": key}


def revoke(service: Service, body: Body) -> Body:
    """Revoke a key or an access token. ``{"revoked": false}`` makes it valid again."""
    credential = service.state.credentials.get(body["key"])
    if credential is None:
        raise LookupError("this key")
    credential.revoked = body.get("revoked", True)
    return {"key": suffix(credential.text), "revoked": credential.revoked}


def add_oauth_client(service: Service, body: Body) -> Body:
    client_id, secret = body.get("client_id") or new_id("oa2client"), body.get("client_secret") or new_secret("secret")
    service.state.oauth_clients[client_id] = secret
    return {"client_id": client_id, "client_secret": secret}


def add_code(service: Service, body: Body) -> Body:
    """Return an authorization code, as if the user had consented."""
    code = new_secret("code")
    service.state.authorization_codes[code] = organization_in(service, body).id
    return {"code": code}


def add_tokens(service: Service, body: Body) -> Body:
    return accounts.grant(service.state, organization_in(service, body).id, body.get("client_id", ""))


def add_type(service: Service, body: Body) -> Body:
    """Store a type. Its name may be a duplicate; ``date_created`` and ``is_archived`` are taken as given.

    ``fields`` are stored with it, each as a create would give it.
    """
    call = _storing_call(service, body)
    refuse_unknown(body, (*_OF_STORED, "fields", *TYPE_KEYS))
    data = _data(body, TYPE_KEYS)
    stored = store_type(call, {"name_plural": f"{data['name']}s", **data})
    for each in body.get("fields", ()):
        store_field(call, {**each, "custom_object_type_id": stored.id})
    return shown_type(call, stored)


def add_field(service: Service, body: Body) -> Body:
    """Store a field of the type ``custom_object_type_id`` or, without this key, a shared field."""
    call = _storing_call(service, body)
    refuse_unknown(body, (*_OF_STORED, *FIELD_KEYS))
    data = _data(body, FIELD_KEYS)
    with _refusals():
        if "custom_object_type_id" in data:
            call.find("types", data["custom_object_type_id"])
            return shown_field(call, store_field(call, data).data)
        return shown_shared(call, store_shared(call, data))


def add_association(service: Service, body: Body) -> Body:
    """Associate the shared field ``field`` with a type."""
    call = _storing_call(service, body)
    refuse_unknown(body, ("organization", "list_lag_seconds", "field", *ASSOCIATION_KEYS))
    with _refusals():
        data = {name: body[name] for name in ASSOCIATION_KEYS if name in body}
        return store_association(call, call.find("shared_fields", body["field"]), data)


def _storing_call(service: Service, body: Body) -> Call:
    call = control_call(service, organization_in(service, body))
    changes = {name: body[name] for name in ("list_lag_seconds",) if name in body}
    return replace(call, options=call.options.changed(changes))


def _data(body: Body, keys: Iterable[str]) -> Body:
    data = {name: value for name, value in body.items() if name in {"id", *keys}}
    return data | {name: _moment(body[name]) for name in _DATES if name in body}


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise ``ValueError`` for input that Close would reject."""
    try:
        yield
    except Refused as refused:
        raise ValueError(refused.response.body.decode()) from refused


def control_call(service: Service, organization: Organization) -> Call:
    """Return a call without a request, with which resources can show their objects."""
    return Call(service.state, organization, service.state.options_of(organization), _NO_REQUEST, {})


def _change(organization: Organization, settings: Body) -> None:
    """Change settings. ``options`` are merged with the present ones; ``null`` removes one."""
    refuse_unknown(settings, {"name", "rate_limit", "options", *_SETTINGS})
    changes = dict(settings)
    if "options" in changes:
        merged = {**organization.options, **changes.pop("options")}
        changes["options"] = {name: value for name, value in merged.items() if value is not None}
        Options().changed(changes["options"])
    if "rate_limit" in changes:
        changes["rate_limit"] = _rate_limit(changes["rate_limit"])
    for name in changes.keys() & _FITS.keys():
        if not _FITS[name](changes[name]):
            raise ValueError(f"{name} cannot be {changes[name]!r}")
    for name, value in changes.items():
        setattr(organization, name, value)


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


_FITS: Mapping[str, Callable[[object], bool]] = {
    "name": lambda value: isinstance(value, str),
    "has_custom_objects": lambda value: isinstance(value, bool),
    "may_customize": lambda value: isinstance(value, bool),
    "max_types": lambda value: value is None or _is_amount(value),
    "max_fields": lambda value: value is None or _is_amount(value),
    "roles": lambda value: isinstance(value, dict) and all(map(is_role, value.values())),
    "role_id": lambda value: value is None or isinstance(value, str),
    "permissions_granted": is_list_of_strings,
    "member_of": lambda value: isinstance(value, dict) and is_list_of_strings([*value.values()]),
}


def _rate_limit(setting: Body | None) -> RateLimit | None:
    if setting is None:
        return None
    limit = RateLimit(setting["requests"], setting.get("window_seconds", 8.0))
    if not _is_amount(limit.requests) or not _is_amount(limit.window_seconds):
        raise ValueError("a rate limit must be {requests, window_seconds}")
    return limit


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown(service: Service, organization: Organization) -> Body:
    mine = [held for held in service.state.credentials.values() if held.organization_id == organization.id]
    return {
        "id": organization.id,
        "options": organization.options,
        **{key: getattr(organization, key) for key in ("name", "user_id", *_SETTINGS)},
        "rate_limit": asdict(organization.rate_limit) if organization.rate_limit else None,
        "credentials": [
            {"key": suffix(held.text), "kind": held.kind, "valid": held.is_valid(service.state.clock())}
            for held in mine
        ],
    }
