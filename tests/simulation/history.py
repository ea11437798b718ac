"""The history of a run: everything that it left behind, for any system under test, simulated or real.

Figures (counts.py) and invariants (invariants.py) are computed from it, so that the same code judges a matrix case in
simulated time and a chaos run on the local stack.
"""

import base64
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provisioner.contract.text import natural_key
from tests.simulation.callers import SubmittedRequest

type TypeKey = tuple[str, str]
"""A tenant, and a type's natural key."""


@dataclass(frozen=True, slots=True)
class StoredType:
    """A type that Close holds, whether or not its list shows it."""

    tenant: str
    id: str
    name: str

    @property
    def key(self) -> TypeKey:
        return self.tenant, natural_key(self.name)


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it arrived at Close. ``tenant``: whose credential it carried, "?" if nobody's."""

    tenant: str
    method: str
    path: str
    type_name: str | None


@dataclass(frozen=True, slots=True)
class History:
    """The parts that figures and invariants need. ``removed``: parts of an organization that are gone.

    ``field_counts``: how many of each field, shared field and association each tenant's organization holds.

    ``items``: the ledger by key, as DynamoDB shows it. ``created``: names of which a create was carried out at Close.

    ``shared_by``: tenants that use the organization of another one, and which.

    ``deleted``: the ids of types that a person deleted. ``touched``: of those that a person created or renamed.

    ``changed``: keys of outcomes that changed. ``outputs``: texts in which no secret may be.
    """

    submitted: Sequence[SubmittedRequest]
    tenants: Sequence[str]
    stored: Sequence[StoredType]
    field_counts: Mapping[str, Counter[str]]
    created: frozenset[TypeKey]
    received: Sequence[ReceivedRequest]
    removed: Sequence[tuple[str, ...]]
    items: Mapping[str, Mapping[str, Any]]
    changed: Sequence[str]
    events: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
    outputs: Mapping[str, str]
    secrets: frozenset[str]
    shared_by: Mapping[str, str] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()

    def home(self, tenant: str) -> str:
        """The organization that a tenant's key opens, by the name of the tenant that it was set up for."""
        return self.shared_by.get(tenant, tenant)

    def types_by_name(self) -> Counter[TypeKey]:
        """How many types each tenant's organization has by each natural key."""
        return Counter(each.key for each in self.stored)

    def leaks(self) -> list[str]:
        """Where a credential can be read that should be nowhere."""
        return [
            f"a secret is in {place}"
            for secret in self.secrets
            for spelled in (secret, secret.partition(".")[2], base64.b64encode(f"{secret}:".encode()).decode())
            for place, text in self.outputs.items()
            if spelled and spelled in text
        ]


def by_request(
    events: Sequence[Mapping[str, Any]], apart: frozenset[str] = frozenset()
) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Events of requests; those about types are left out, and those whose id is in ``apart``."""
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        if ".provisioning." in event["type"] and event["id"] not in apart:
            grouped[event["data"]["tenant"], event["data"]["request_id"]].append(event)
    return dict(grouped)
