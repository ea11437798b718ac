"""One stack of its own for all end-to-end tests: on a free port, beside any ``make run`` of the same project."""

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
    """The stack with all that arrived from its topic since it came up."""
    return World(stack, Feed(stack.aws.client("sqs"), stack.description.outcomes_queue_url))


@pytest.fixture
def tenant(world: World) -> Tenant:
    """A tenant that no other test has, with an ordinary organization."""
    return world.new_tenant()
