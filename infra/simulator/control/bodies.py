"""Bodies of control calls. Query and path parameters arrive in them, too."""

from collections.abc import Iterable, Mapping
from typing import Any

from infra.simulator.service import Service
from infra.simulator.state import Organization

type Body = dict[str, Any]


def refuse_unknown(given: Mapping[str, object], known: Iterable[str]) -> None:
    """Raises ``ValueError`` that names every key that should not be there."""
    if unknown := given.keys() - set(known):
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")


def organization_in(service: Service, body: Body) -> Organization:
    """The organization whose id is under ``organization``. Raises ``LookupError``."""
    return service.state.organizations[body["organization"]]
