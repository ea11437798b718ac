"""Bodies of control calls, which also hold the query and path parameters."""

from collections.abc import Iterable, Mapping
from typing import Any

from infra.simulator.service import Service
from infra.simulator.state import Organization

type Body = dict[str, Any]


def refuse_unknown(given: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise ``ValueError`` with the unknown keys, if there are any."""
    if unknown := given.keys() - set(known):
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")


def organization_in(service: Service, body: Body) -> Organization:
    """Return the organization whose id is under ``organization``. Raises ``LookupError``."""
    return service.state.organizations[body["organization"]]
