"""Requests, and calls: authenticated requests with their organization and their body."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from infra.simulator.api.responses import Refused, Response, error_response, json_response, not_found
from infra.simulator.options import Options
from infra.simulator.roles import LITERAL_ROLES, name_of
from infra.simulator.state import Organization, State, Stored


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. Header names are in lower case; ``path`` is as sent, still percent-encoded."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    chunked: bool = False

    def json_object(self) -> dict[str, Any] | None:
        """Return the body if it is a JSON object; otherwise None."""
        try:
            value = json.loads(self.body, parse_constant=_no_constant)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def body_of(request: Request, options: Options) -> dict[str, Any]:
    """Return the JSON object of a POST or PUT. Raises ``Refused`` as Close's server library would."""
    if request.chunked:
        raise Refused(error_response(400, "Chunked Transfer-Encoding is not supported."))
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused(error_response(options.wrong_content_type, "Content-Type must be application/json."))
    body = request.json_object()
    if body is None:
        raise Refused(error_response(400, "The request body must be a JSON object."))
    return body


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request, for the resources. They hold the state's lock."""

    state: State
    organization: Organization
    options: Options
    request: Request
    parameters: Mapping[str, str]
    body: dict[str, Any] = field(default_factory=dict)

    def stored(self, kind: str) -> Stored:
        """Return the object that the path names. ``kind``: an attribute of ``Organization``. Raises ``Refused``."""
        return self.find(kind, self.parameters["id"])

    def find(self, kind: str, object_id: str) -> Stored:
        """Return an object. A deleted one can still be read for a while, but not written."""
        mine: dict[str, Stored] = getattr(self.organization, kind)
        if (
            (found := mine.get(object_id))
            and found.is_readable(self.now())
            and (found.exists or self.request.method == "GET")
        ):
            return found
        foreign = any(object_id in getattr(other, kind) for other in self.state.organizations.values())
        if foreign and object_id not in mine and self.options.foreign_id == 403:
            raise Refused(error_response(403, "Forbidden"))
        raise Refused(not_found(object_id))

    def now(self) -> float:
        """Return Unix seconds, by the clock of the state."""
        return self.state.clock()

    def is_listed(self, stored: Stored) -> bool:
        return stored.is_listed(self.now())

    def roles(self) -> Mapping[str, str]:
        """Return the names of all roles by id."""
        return LITERAL_ROLES | {role_id: name_of(role) for role_id, role in self.organization.roles.items()}

    def signed(self, **data: Any) -> dict[str, Any]:
        """Return ``data`` with its user and dates, unless it has its own."""
        moment, user = self.state.date(), self.organization.user_id
        return {
            "organization_id": self.organization.id,
            "created_by": user,
            "updated_by": user,
            "date_created": moment,
            "date_updated": moment,
            **data,
        }

    def stored_now(self, data: dict[str, Any]) -> Stored:
        moment = self.now()
        lags = (self.options.list_lag_seconds, self.options.get_lag_seconds)
        return Stored(data, moment + lags[0], moment + lags[1])

    def update(self, stored: Stored, changes: Mapping[str, Any]) -> None:
        stored.data.update(changes, updated_by=self.organization.user_id)
        if self.options.date_updated_changes:
            stored.data["date_updated"] = self.state.date()

    def created(self, path: str, data: dict[str, Any]) -> Response:
        """Return the response to a create. ``path`` is below ``/api/v1/`` and ends in a slash."""
        relative = f"/api/v1/{path}"
        locations = {"absolute": self.request.base_url + relative, "relative": relative}
        location = locations.get(self.options.location)
        return json_response(data, self.options.create_status, {"Location": location} if location else {})

    def one(self, data: dict[str, Any]) -> Response:
        return json_response(selected(data, self.request.query))

    def listed(self, entries: list[dict[str, Any]]) -> Response:
        """Return the whole list, in the envelope that the options ask for."""
        ordered = reversed(entries) if self.options.list_order == "newest_first" else entries
        envelopes: dict[str, dict[str, Any]] = {"has_more": {"has_more": False}, "cursor": {"cursor": None}}
        beside = envelopes.get(self.options.list_envelope, {})
        return json_response({"data": [selected(entry, self.request.query) for entry in ordered], **beside})

    def paged(self, entries: list[dict[str, Any]]) -> Response:
        """Return one page by ``_skip`` and ``_limit`` (default 100), with ``has_more``."""
        skip, limit = (self._number(name, default) for name, default in (("_skip", 0), ("_limit", 100)))
        page = [selected(entry, self.request.query) for entry in entries[skip : skip + limit]]
        return json_response({"data": page, "has_more": len(entries) > skip + limit})

    def _number(self, name: str, default: int) -> int:
        text = self.request.query.get(name, str(default))
        if not text.isdecimal():
            raise Refused(error_response(400, f"{name} must be an integer."))
        return int(text)

    def date(self, moment: datetime) -> str:
        match self.options.dates:
            case "naive":
                return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
            case "offset":
                return moment.isoformat(timespec="microseconds")
            case "naive_seconds":
                return moment.replace(tzinfo=None).isoformat(timespec="seconds")
            case "offset_seconds":
                return moment.isoformat(timespec="seconds")

    def with_dates(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.date(value) if isinstance(value, datetime) else value for name, value in data.items()}


type Serve = Callable[[Call], Response]


def selected(data: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys that ``_fields`` names, or all."""
    names = [name for name in query.get("_fields", "").split(",") if name]
    return {name: data[name] for name in names if name in data} if names else data


DELETED = {"204": Response(204), "200_object": json_response({}), "200_empty": Response(200)}
