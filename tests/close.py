"""One Close organization in this process: the simulated Close behind httpx, with faults of the network in between."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, cast

import httpx

from infra.simulator.api.custom_fields import fields_of
from infra.simulator.api.custom_object_types import shown_type
from infra.simulator.control.organizations import control_call
from infra.simulator.embedded import InProcessClose
from infra.simulator.state import Organization as SimulatedOrganization
from infra.simulator.state import Stored
from provisioner.close.client import CloseApi
from provisioner.close.list_cache import Organization
from provisioner.close.models import Credential, CustomField, CustomObjectType
from provisioner.close.transport import Connection
from provisioner.contract.errors import ProvisioningError, Rejected, RetryLater, Unavailable

ID = "orga_acme"
KEY = "api_acme.secret"
OTHER_ID = "orga_globex"
OTHER_KEY = "api_globex.secret"

type Fault = str | Exception | None

LOST = "the write happens, its response is lost"
LOST_BEFORE = "the write is lost on its way"
KILLED = "the write happens, and its sender is killed"
KILLED_BEFORE = "the sender is killed before it sends the write"


class Killed(BaseException):
    """The function ended here without a trace."""


class DirectHttp(NamedTuple):
    """As much of httpx's client as the service uses. It hands each request to ``respond``, at a third of the cost."""

    respond: Callable[[httpx.Request], httpx.Response]

    def build_request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None,
        headers: Mapping[str, str],
        timeout: httpx.Timeout,
        extensions: Mapping[str, object],
    ) -> httpx.Request:
        further = {"timeout": timeout.as_dict(), **extensions}
        return httpx.Request(method, _parsed(url), content=content, headers=headers, extensions=further)

    def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        assert stream
        response = self.respond(request)
        response.request = request
        return response


_parsed = cache(httpx.URL)


@dataclass
class SimulatedClose:
    """An organization that the keys of all tenants but globex open, on the caller's clock.

    ``faults`` strike the next writes, one each: LOST, LOST_BEFORE, KILLED, KILLED_BEFORE, an exception, or None to let
    one pass. ``list_fails`` strikes every read of the list of types. Errors become the responses that mean them.
    ``requests``: all but those that ask which organization a key opens.
    """

    clock: Callable[[], float]
    faults: list[Fault] = field(default_factory=list)
    list_fails: Exception | None = None
    before_list: Callable[[], object] = lambda: None
    requests: list[httpx.Request] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.simulator = InProcessClose(clock=self.clock)
        self.simulator.add_organization(id=ID, keys=[KEY])
        self.simulator.add_organization(id=OTHER_ID, keys=[OTHER_KEY])
        self.http = cast("httpx.Client", DirectHttp(self._respond))

    def open(self, rejection: Exception | None = None, key: str = KEY) -> Organization:
        """Return the organization for one batch. ``rejection``: raised in place of the credential."""

        def credential(_: Credential | None) -> Credential:
            if rejection:
                raise rejection
            return credential_of(key)

        return Organization(
            CloseApi(Connection(self.http, self.simulator.api_url, credential, 20, lambda: 60, self.clock))
        )

    @property
    def lag(self) -> float:
        """The seconds until a list shows a new object."""
        return self.simulator.service.state.options.list_lag_seconds

    @lag.setter
    def lag(self, seconds: float) -> None:
        self.simulator.set_options(list_lag_seconds=seconds)

    # --- changes by hand, which the lists show at once

    def add(self, name: str, **further: Any) -> CustomObjectType:
        """Create a type. ``further``: other keys of the type."""
        return CustomObjectType.model_validate(self.simulator.add_type(ID, name, list_lag_seconds=0, **further))

    def add_field(self, type_id: str | None, name: str, **further: Any) -> CustomField:
        """Create a field of that type or, without a type, a shared field."""
        created = self.simulator.add_field(ID, type_id, name, list_lag_seconds=0, **further)
        self._append_new_fields()
        return CustomField.model_validate(created)

    def add_association(self, field_id: str, type_id: str, **body: Any) -> None:
        self.simulator.add_association(ID, field_id, type_id, list_lag_seconds=0, **body)
        self._append_new_fields()

    def add_roles(self, **names: str) -> None:
        """Create roles: their names by id."""
        self.simulator.change_organization(ID, roles=names)

    def change(self, close_id: str, **data: Any) -> None:
        """Change a type or a field. Close dates the change, unless its option says otherwise."""
        state = self.simulator.service.state
        dated = {"date_updated": state.date()} if state.options.date_updated_changes else {}
        self._stored[close_id].data.update({**dated, **data})

    def sort_fields(self, type_id: str, field_ids: Sequence[str]) -> None:
        self._organization.field_order[type_id] = list(field_ids)

    def delete_all(self) -> None:
        self.simulator.clear_organization(ID)

    def hide(self, close_id: str, seconds: float) -> None:
        """Let no read show the type for this time."""
        stored = self._stored[close_id]
        stored.listed_from = stored.readable_from = self.clock() + seconds

    # --- the present state, whether or not the lists show it

    @property
    def names(self) -> list[str]:
        return [each.data["name"] for each in self._organization.existing_types()]

    @property
    def existing(self) -> list[CustomObjectType]:
        call = control_call(self.simulator.service, self._organization)
        return [CustomObjectType.model_validate(shown_type(call, each)) for each in self._organization.existing_types()]

    @property
    def fields(self) -> list[CustomField]:
        return [self._field(each) for each in self._organization.fields.values()]

    @property
    def shared(self) -> list[CustomField]:
        return [self._field(each) for each in self._organization.shared_fields.values()]

    @property
    def order(self) -> dict[str, list[str]]:
        """The ids of each type's fields in order, shared ones included."""
        organization = self._organization
        types = [each.id for each in organization.existing_types()]
        return {type_id: [field["id"] for field in fields_of(organization, type_id)] for type_id in types}

    @property
    def associations(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The keys of each association, by field and type."""
        return {
            (stored.id, each["custom_object_type_id"]): {key: each[key] for key in ("required", "editable_with_roles")}
            for stored in self._organization.shared_fields.values()
            for each in stored.data["associations"]
        }

    def _append_new_fields(self) -> None:
        """Put new fields and associations at the end of their types, in the order of their creation."""
        orders = self._organization.field_order
        for type_id, ids in self.order.items():
            known = orders.setdefault(type_id, [])
            known.extend(each for each in ids if each not in known)

    @property
    def _organization(self) -> SimulatedOrganization:
        return self.simulator.service.state.organizations[ID]

    @property
    def _stored(self) -> dict[str, Stored]:
        return self._organization.types | self._organization.fields | self._organization.shared_fields

    def _field(self, stored: Stored) -> CustomField:
        call = control_call(self.simulator.service, self._organization)
        return CustomField.model_validate(call.with_dates(stored.data))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/me/":
            return self.simulator.handle(request)
        self.requests.append(request)
        return self._read(request) if request.method == "GET" else self._write(request)

    def _read(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/custom_object_type/":
            self.before_list()
            if self.list_fails:
                return response_for(request, self.list_fails)
        return self.simulator.handle(request)

    def _write(self, request: httpx.Request) -> httpx.Response:
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            return response_for(request, fault)
        if fault == KILLED_BEFORE:
            raise Killed
        self.writes.append(_name_of(request))
        if fault == LOST_BEFORE:
            raise httpx.ReadError("no response", request=request)
        response = self.simulator.handle(request)
        if request.method == "POST":
            self._append_new_fields()
        if fault == KILLED:
            raise Killed
        if fault == LOST:
            raise httpx.ReadError("no response", request=request)
        return response


def _name_of(write: httpx.Request) -> str:
    """Return a name for a write, such as "create field"."""
    path = write.url.path
    if path.startswith("/api/v1/custom_field_schema/"):
        return "reorder"
    create = write.method == "POST"
    if "/association/" in path:
        return "associate" if create else "update association"
    kind = "type" if path.startswith("/api/v1/custom_object_type/") else "field"
    return f"{'create' if create else 'update'} {kind}"


def credential_of(key: str) -> Credential:
    return Credential(f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}", key)


def response_for(request: httpx.Request, error: Exception) -> httpx.Response:
    """Return the response of Close that means this error, and raise any other exception."""
    if isinstance(error, RetryLater):
        return httpx.Response(429, headers={"RateLimit": f"limit=100, remaining=0, reset={error.seconds}"})
    if isinstance(error, Unavailable):
        if request.method == "GET":
            return httpx.Response(500)
        raise httpx.ConnectError("refused", request=request)
    if isinstance(error, Rejected):
        problem = error.problem
        errors: dict[str, Any] = {}
        for each in problem.errors:
            *outer, last = each.pointer.split("/")[1:] or ["errors"]
            node = errors
            for step in outer:
                node = node.setdefault(step, {})
            node[last] = each.detail
        return httpx.Response(problem.close_status or 402, json={"error": str(error), "field-errors": errors})
    assert not isinstance(error, ProvisioningError)
    raise error
