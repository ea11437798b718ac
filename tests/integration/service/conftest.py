"""One simulated Close and one moto for all tests; each has a service, and tenants, or a wire of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from infra.simulator import CloseSimulator, ControlClient
from provisioner import service as assembly
from provisioner.handlers import events, webhooks
from provisioner.service import _http
from tests.integration.service.close_caller import CloseTenant
from tests.integration.service.locked_moto import client, locked_moto
from tests.integration.service.stack import Stack
from tests.integration.service.wire import Wire


@pytest.fixture(scope="session")
def close() -> Iterator[ControlClient]:
    with CloseSimulator() as remote:
        yield remote


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    with locked_moto():
        for name in ("dynamodb", "secretsmanager", "sns", "sqs"):
            client(name)  # made now, or racing threads would each make one
        yield


@pytest.fixture
def new_stack(close: ControlClient, aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stack]]:
    """Makes a stack with the tenants ``acme`` and ``globex``; takes settings."""
    for module in (assembly, webhooks, events):
        monkeypatch.setattr(module, "make_clients", lambda: client)
    stacks: list[Stack] = []

    def make(**settings: Any) -> Stack:
        stack = Stack(close, **settings)
        stack.add_tenant("acme")
        stack.add_tenant("globex")
        stacks.append(stack)
        return stack

    yield make
    for stack in stacks:
        stack.stop()


@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def http(wire: Wire) -> Iterator[httpx.Client]:
    with _http(wire.url) as http:
        yield http


@pytest.fixture
def tenant(wire: Wire, http: httpx.Client) -> CloseTenant:
    return CloseTenant(http, wire.url)
