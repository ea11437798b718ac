"""The service in memory, and a caller of its HTTP API."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from provisioner.telemetry import logger
from tests.handlers import HandlerWorld
from tests.http_caller import Caller


@pytest.fixture
def world() -> HandlerWorld:
    return HandlerWorld()


@pytest.fixture
def caller(world: HandlerWorld) -> Caller:
    return Caller(world)


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Return the stream that the logger writes to during the test."""
    handler, written = logger.registered_handler, StringIO()
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(written)
    yield written
    handler.setStream(before)
