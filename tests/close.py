"""One Close organization in this process: the simulated Close behind httpx, with faults of the network in between."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from infra.simulator.api.custom_object_types import shown_type
from infra.simulator.control.organizations import control_call
from infra.simulator.embedded import InProcessClose
from provisioner.close.client import CloseApi
from provisioner.close.list_cache import Organization
from provisioner.close.models import Credential, CustomObjectType
from provisioner.close.transport import Connection
from provisioner.contract.errors import ProvisioningError, Rejected, RetryLater, Unavailable
from tests.fakes import KILLED, KILLED_BEFORE, LOST, LOST_BEFORE, Fault, Killed

ID = "orga_acme"
KEY = "api_acme.secret"


@dataclass
class SimulatedClose:
    """An organization that every tenant's key opens, on the caller's clock.

    ``faults`` strike the next writes, one each: LOST, LOST_BEFORE, KILLED, KILLED_BEFORE, an exception, or None to let
    one pass. ``list_fails`` strikes every read of a list. An error of Close becomes the response that means it.
    """

    clock: Callable[[], float]
    faults: list[Fault] = field(default_factory=list)
    list_fails: Exception | None = None
    before_list: Callable[[], object] = lambda: None
    requests: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.simulator = InProcessClose(clock=self.clock)
        self.simulator.add_organization(id=ID, keys=[KEY])
        self.http = httpx.Client(transport=httpx.MockTransport(self._respond), trust_env=False)

    def open(self, rejection: Exception | None = None) -> Organization:
        """Return the organization for one batch. ``rejection``: raised in place of the credential."""

        def credential(_: Credential | None) -> Credential:
            if rejection:
                raise rejection
            return credential_of(KEY)

        return Organization(
            CloseApi(Connection(self.http, self.simulator.api_url, credential, 20, lambda: 60, self.clock))
        )

    def add(self, name: str, **further: Any) -> CustomObjectType:
        """Create a type by hand. ``further``: other keys of the type."""
        return CustomObjectType.model_validate(self.simulator.add_type(ID, name, **further))

    @property
    def existing(self) -> list[CustomObjectType]:
        """The types, whether or not the lists show them."""
        service = self.simulator.service
        with service.state.lock:
            organization = service.state.organizations[ID]
            call = control_call(service, organization)
            return [CustomObjectType.model_validate(shown_type(call, each)) for each in organization.existing_types()]

    @property
    def names(self) -> list[str]:
        organization = self.simulator.service.state.organizations[ID]
        return [each.data["name"] for each in organization.existing_types()]

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "GET":
            if request.url.path == "/api/v1/custom_object_type/":
                self.before_list()
                if self.list_fails:
                    return response_for(request, self.list_fails)
            return self.simulator.handle(request)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            return response_for(request, fault)
        if fault == KILLED_BEFORE:
            raise Killed
        if fault == LOST_BEFORE:
            raise httpx.ReadError("no response", request=request)
        response = self.simulator.handle(request)
        if fault == KILLED:
            raise Killed
        if fault == LOST:
            raise httpx.ReadError("no response", request=request)
        return response


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
        errors = {each.pointer.removeprefix("/"): each.detail for each in problem.errors}
        return httpx.Response(problem.close_status or 402, json={"error": str(error), "field-errors": errors})
    assert not isinstance(error, ProvisioningError)
    raise error
