"""The simulated Close behind httpx, without sockets and on the simulated clock.

Its state, routing, access and answers are those of infra/simulator. Faults do not come from there but from
the wire, since the simulator's own use real threads and real time.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from infra.simulator.api.custom_fields import fields_of
from infra.simulator.api.requests import Request
from infra.simulator.control.organizations import add_organization
from infra.simulator.service import Service
from infra.simulator.state import Organization, State
from provisioner.contract.text import natural_key
from tests.simulation.clock import SimulatedClock
from tests.simulation.network import Invocation

BASE_URL = "http://127.0.0.1:9/api/v1/"
PAUSE_SECONDS = 20
"""The pause of a 429: longer than an invocation of the API can still last, shorter than the list's lag."""
LIST_LAG_SECONDS = 50
"""How long the list goes on not showing a new type: within the sixty seconds that the service is set to."""


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """A request as it arrived at Close. ``status`` as Close answered it, whether or not the response arrived."""

    at: float
    method: str
    path: str
    organization: str
    type_name: str | None
    status: int
    invocation: Invocation


type Fact = tuple[str, ...]


def facts_of(organization: Organization) -> Iterator[Fact]:
    """The parts of an organization that must stay: types, fields of a kind, choices, associations."""
    for each in organization.existing_types():
        yield organization.name, "type", each.id
        for field_ in fields_of(organization, each.id):
            yield organization.name, "field", each.id, field_["id"], field_["type"]
    for each in (*organization.fields.values(), *organization.shared_fields.values()):
        yield from ((organization.name, "choice", each.id, choice) for choice in each.data["choices"] or ())


def copies_of_fields(organization: Organization) -> Counter[str]:
    """How many fields there are of each name: of each type, and shared."""
    own = [
        f"field {natural_key(field_['name'])!r} of type {natural_key(each.data['name'])!r}"
        for each in organization.existing_types()
        for field_ in fields_of(organization, each.id)
    ]
    shared = [f"shared field {natural_key(each.data['name'])!r}" for each in organization.shared_fields.values()]
    return Counter(own + shared)


@dataclass(slots=True)
class CloseTransport:
    """Close's side: organizations by tenant, and all that ever arrived."""

    clock: SimulatedClock
    service: Service = field(init=False)
    tenants: dict[str, str] = field(default_factory=dict)
    shared_by: dict[str, str] = field(default_factory=dict)  # tenants with a key of another tenant's organization
    served: list[ServedRequest] = field(default_factory=list)
    facts: set[Fact] = field(default_factory=set)
    removed: list[Fact] = field(default_factory=list)
    closed_until: dict[str, float] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)  # the ids of types that a person renamed

    def __post_init__(self) -> None:
        self.service = Service(State(clock=lambda: self.clock.now))

    def add(self, tenant: str, keys: list[str], **settings: Any) -> Organization:
        """An organization for the tenant. Its list lags."""
        options = {"list_lag_seconds": LIST_LAG_SECONDS, **settings.pop("options", {})}
        described = {"id": f"orga_{tenant}", "name": tenant, "keys": keys, "options": options, **settings}
        shown = add_organization(self.service, described)
        self.tenants[tenant] = shown["id"]
        return self.organization(tenant)

    def organization(self, tenant: str) -> Organization:
        return self.service.state.organizations[self.tenants[tenant]]

    def tenant_of(self, request: httpx.Request) -> str:
        """Whose credential the request carries, "?" if nobody's."""
        caller = self.service._caller(_plain(request))
        return caller.organization.name if caller.organization else "?"

    def carry_out(self, request: httpx.Request, tenant: str, invocation: Invocation) -> httpx.Response:
        if self.clock.now < self.closed_until.get(tenant, 0):
            response = too_many(self.closed_until[tenant] - self.clock.now)
        else:
            answer = self.service.handle(_plain(request))
            response = httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body)
        self._watch()
        self.served.append(
            ServedRequest(
                self.clock.now,
                request.method,
                request.url.path,
                tenant,
                type_name(request),
                response.status_code,
                invocation,
            )
        )
        return response

    def _watch(self) -> None:
        """Record the parts that a write removed."""
        facts = {fact for tenant in self.tenants for fact in facts_of(self.organization(tenant))}
        self.removed += sorted(self.facts - facts)
        self.facts = facts

    def throttle(self, tenant: str) -> httpx.Response:
        """From now on, and for a while, Close wants this tenant left alone."""
        self.closed_until[tenant] = self.clock.now + PAUSE_SECONDS
        return too_many(PAUSE_SECONDS)


def type_name(request: httpx.Request) -> str | None:
    """The name in the body of a type's create."""
    return (
        name_in_body(request)
        if request.method == "POST" and request.url.path == "/api/v1/custom_object_type/"
        else None
    )


def name_in_body(request: httpx.Request) -> str | None:
    """The name in the body of any write."""
    body = json.loads(request.content) if request.content else {}
    return body.get("name") if isinstance(body, dict) else None


def too_many(seconds: float) -> httpx.Response:
    headers = {"RateLimit": f"limit=100, remaining=0, reset={seconds:.3f}"}
    return httpx.Response(429, headers=headers, json={"error": "API call count exceeded for this window"})


@dataclass(frozen=True, slots=True)
class CloseFailures:
    """How Close, or the network before it, says what went wrong with this request."""

    request: httpx.Request
    throttle: Callable[[], httpx.Response]
    latency: float = 0.15

    @property
    def timeout(self) -> float:
        return float(self.request.extensions.get("timeout", {}).get("read") or 60)

    def error(self) -> httpx.Response:
        return httpx.Response(502, html="<html><body><h1>502 Bad Gateway</h1></body></html>")

    def throttled(self) -> httpx.Response:
        return self.throttle()

    def lost(self) -> Exception:
        return httpx.RemoteProtocolError("the connection was closed without an answer", request=self.request)

    def lost_then_throttled(self) -> Exception:
        self.throttle()
        return self.lost()

    def timed_out(self) -> Exception:
        return httpx.ReadTimeout("no answer in time", request=self.request)

    def garbled(self) -> httpx.Response:
        return httpx.Response(201, json={"name": "something"})

    def partial(self, *, carried_out: bool) -> httpx.Response:
        raise NotImplementedError("Close takes no batches")


def _plain(request: httpx.Request) -> Request:
    url = request.url
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(
        request.method, url.raw_path.decode().partition("?")[0], dict(url.params), headers, request.content, ""
    )
