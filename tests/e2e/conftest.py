"""One stack for all end-to-end tests, on a free port, so that ``make run`` may run at the same time."""

from collections.abc import Iterator

import pytest

from infra.local.config import PROJECT, Options
from infra.local.outcomes import Feed
from infra.local.stack import LocalStack, local_stack
from tests.e2e.world import Tenant, World

OPTIONS = Options(port=0, list_lag_seconds=1, close_timeout_seconds=3, state=PROJECT / ".local" / "e2e")


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    with local_stack(OPTIONS) as running:
        yield running


@pytest.fixture(scope="session")
def world(stack: LocalStack) -> World:
    """Return the stack, with all outcomes since its start."""
    return World(stack, Feed(stack.aws.client("sqs"), stack.description.outcomes_queue_url))


@pytest.fixture
def tenant(world: World) -> Tenant:
    """Return a tenant for one test, with an organization without special settings."""
    return world.new_tenant()
