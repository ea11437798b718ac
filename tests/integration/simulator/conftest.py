"""A simulated Close of its own for each test, with one organization and its client."""

import ssl
from collections.abc import Callable, Iterator

import httpx
import pytest

from infra.simulator import CloseSimulator, ControlClient

ORGANIZATION = "orga_acme"
KEY = "api_acme.0123456789"

# Plain HTTP needs no certificates, and loading them takes longer than most tests.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def close() -> Iterator[ControlClient]:
    """Return the client of a simulator with the organization ``orga_acme``."""
    with CloseSimulator() as remote:
        remote.add_organization(id=ORGANIZATION, name="Acme", keys=[KEY])
        yield remote


@pytest.fixture
def new_client(close: ControlClient) -> Callable[[str], httpx.Client]:
    """Return a function that makes a client for a key: Basic authentication, no redirects."""

    def make(key: str) -> httpx.Client:
        return httpx.Client(
            base_url=close.api_url, auth=(key, ""), timeout=20, trust_env=False, verify=_NO_CERTIFICATES
        )

    return make


@pytest.fixture
def client(new_client: Callable[[str], httpx.Client]) -> Iterator[httpx.Client]:
    """Return a client with the key of ``orga_acme``."""
    with new_client(KEY) as client:
        yield client
