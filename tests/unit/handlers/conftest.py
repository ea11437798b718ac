"""The service in memory, and a caller of its HTTP API."""

import pytest

from tests.handlers import HandlerWorld
from tests.http_caller import Caller


@pytest.fixture
def world() -> HandlerWorld:
    return HandlerWorld()


@pytest.fixture
def caller(world: HandlerWorld) -> Caller:
    return Caller(world)
