"""The words of a plan: what was seen, the steps from there to what is wanted, and what they are about. Pure.

planning.py makes plans, apply.py carries them out, plan_view.py shows them. Words are named tuples where they can be:
at a cold start a dataclass costs as much as five of them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from provisioner.close.models import CustomField, CustomObjectType, Role
from provisioner.contract.outcome import Blocked, Difference
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import CustomObjectTypeSpec, FieldSpec
from provisioner.ledger.models import CREATE_RESOURCE, ResourceKey, ResourceKind

EMPTY: Mapping[str, Any] = MappingProxyType({})

REORDER_FIELDS = "order"
"""The thing that is the order of a type's fields."""

_ASSOCIATION = "association "


MAX_KEY_BYTES = 64
"""A longer natural key stands as its hash: the ledger keeps many things in one item."""


def field_operation(key: str) -> str:
    """The thing that is a field of a type, by the field's natural key."""
    return f"field {_short(key)}"


def association_operation(key: str) -> str:
    """The thing that is a type's association with a shared field, by the field's natural key."""
    return f"{_ASSOCIATION}{_short(key)}"


def _short(key: str) -> str:
    return key if len(key.encode()) <= MAX_KEY_BYTES else hashlib.sha256(key.encode()).hexdigest()


def is_association(operation: str) -> bool:
    return operation.startswith(_ASSOCIATION)


def operation_of(spec: FieldSpec) -> str:
    """What the type has of the field: the field itself, or its association with a shared one."""
    return (association_operation if spec.shared else field_operation)(spec.natural_key)


def update_operation(operation: str) -> str:
    """What an update does is remembered apart from what made the thing."""
    return f"update {operation}"


def type_resource(tenant: str, key: str) -> ResourceKey:
    return ResourceKey(ResourceKind.TYPE, tenant, key)


def shared_field_resource(tenant: str, key: str) -> ResourceKey:
    return ResourceKey(ResourceKind.SHARED_FIELD, tenant, key)


def resources_to_lock(request: ProvisioningRequest) -> dict[ResourceKey, list[str]]:
    """All that the request must lease, and of each unit what it may have to create.

    Always in the same order: so two requests never wait for each other.
    """
    operations: dict[ResourceKey, list[str]] = {}
    for spec in request.types:
        operations[type_resource(request.tenant, spec.natural_key)] = [CREATE_RESOURCE, *map(operation_of, spec.fields)]
        for each in spec.fields:
            if each.shared:
                operations[shared_field_resource(request.tenant, each.natural_key)] = [CREATE_RESOURCE]
    return {resource: operations[resource] for resource in sorted(operations)}


class ObservedState(NamedTuple):
    """Close as it was looked at. ``fields``, ``shared`` and ``roles`` are there when the request needs them."""

    types: Sequence[CustomObjectType]
    fields: Sequence[CustomField] = ()
    shared: Sequence[CustomField] = ()
    roles: Sequence[Role] = ()


class Action(StrEnum):
    CREATE_TYPE = "create type"
    UPDATE_TYPE = "update type"
    CREATE_FIELD = "create field"
    UPDATE_FIELD = "update field"
    CREATE_SHARED_FIELD = "create shared field"
    UPDATE_SHARED_FIELD = "update shared field"
    ASSOCIATE = "associate shared field"
    UPDATE_ASSOCIATION = "update association"
    REORDER = "reorder fields"

    @property
    def creates(self) -> bool:
        """Whether it makes something that is made once: it must not be sent again before a look."""
        return self in {Action.CREATE_TYPE, Action.CREATE_FIELD, Action.CREATE_SHARED_FIELD, Action.ASSOCIATE}


class Step(NamedTuple):
    """One write. ``thing`` is what it is about, of the ``unit`` whose lease covers it.

    ``body`` is what to send, but for ids that are not known before earlier steps are done: ``references`` holds a
    natural key, and so do the entries of ``order`` for fields to come. ``pointer``: to its part of the request's body.
    """

    action: Action
    resource: ResourceKey
    operation: str
    name: str
    pointer: str
    body: Mapping[str, Any] = EMPTY
    close_id: str | None = None  # of what is changed
    changes: tuple[Difference, ...] = ()


class TypeAction(StrEnum):
    """What is to be done with a type."""

    CREATE = "make"  # what is missing: it is new, or this very request made it
    UPDATE = "update"  # what is missing or differs
    ADOPT = "leave"  # it is there by somebody else, and is taken as it is
    REJECT = "refuse"  # it is there by somebody else, and if_exists is 'fail'


class TypePlan(NamedTuple):
    """One type of the request. ``fields``: those of its spec that it has, by natural key."""

    spec: CustomObjectTypeSpec
    resource: ResourceKey
    existing: CustomObjectType | None
    mode: TypeAction
    other_matches: tuple[str, ...] = ()
    fields: Mapping[str, CustomField] = EMPTY
    steps: tuple[Step, ...] = ()
    differences: tuple[Difference, ...] = ()
    blocked: tuple[Blocked, ...] = ()

    @property
    def is_read_only(self) -> bool:
        """Whether nothing of it may be written."""
        return self.mode in {TypeAction.ADOPT, TypeAction.REJECT}


class Plan(NamedTuple):
    """``steps`` are in the order in which they are to be done; each belongs to a type, or to a shared field."""

    types: tuple[TypePlan, ...]
    steps: tuple[Step, ...]
    references: Mapping[str, str]  # ids of all types that are there, by natural key
    shared: Mapping[str, CustomField]  # the shared fields that are wanted and there, by natural key
    digest: str

    @property
    def blocked(self) -> tuple[Blocked, ...]:
        return tuple(each for plan in self.types for each in plan.blocked)
