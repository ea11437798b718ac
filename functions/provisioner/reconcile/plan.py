"""The values of a plan, from the keys of operations to the state after it was applied. Pure.

    ObservedState + Matches ──planner.py──► Plan ──apply.py──► Applied ──compute_outcome.py──► Outcome

These are named tuples where possible: at a cold start, one dataclass costs as much as five of them.
"""

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from provisioner.close.models import CustomField, CustomObjectType, Role
from provisioner.contract.errors import ProvisioningError
from provisioner.contract.outcome import Blocked, Difference, Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import CustomObjectTypeSpec, FieldSpec
from provisioner.ledger.lease import CREATE_RESOURCE, ResourceKey, ResourceKind, ResourceRecord

if TYPE_CHECKING:
    from provisioner.reconcile.look_alikes import LookAlike

EMPTY: Mapping[Any, Any] = MappingProxyType({})

REORDER_FIELDS = "reorder"
"""The operation that puts a type's fields in order."""

MAX_KEY_BYTES = 64
"""A longer natural key is replaced by its hash: the ledger keeps many operations in one item."""

_ASSOCIATION = "association:"
_UPDATE = "update:"


def field_operation(key: str) -> str:
    """Return the operation that creates a field of a type, by the field's natural key."""
    return f"field:{_short(key)}"


def association_operation(key: str) -> str:
    """Return the operation that associates a type with a shared field, by the field's natural key."""
    return f"{_ASSOCIATION}{_short(key)}"


def _short(key: str) -> str:
    return key if len(key.encode()) <= MAX_KEY_BYTES else hashlib.sha256(key.encode()).hexdigest()


def is_association(operation: str) -> bool:
    return operation.startswith(_ASSOCIATION)


def operation_of(spec: FieldSpec) -> str:
    """Return the operation that gives the type this field: an association for a shared field, else a creation."""
    return (association_operation if spec.shared else field_operation)(spec.natural_key)


def update_operation(operation: str) -> str:
    """Return the operation that updates the result of another one. The ledger records the two separately."""
    return f"{_UPDATE}{operation}"


def is_update(operation: str) -> bool:
    return operation.startswith(_UPDATE)


def type_resource(organization: str, key: str) -> ResourceKey:
    return ResourceKey(ResourceKind.TYPE, organization, key)


def shared_field_resource(organization: str, key: str) -> ResourceKey:
    return ResourceKey(ResourceKind.SHARED_FIELD, organization, key)


def resources_to_lock(request: ProvisioningRequest, organization: str) -> dict[ResourceKey, list[str]]:
    """The resources that the request must lease there, each with the operations that may create something.

    They are sorted, so two requests never deadlock.
    """
    operations: dict[ResourceKey, list[str]] = {}
    for spec in request.types:
        operations[type_resource(organization, spec.natural_key)] = [CREATE_RESOURCE, *map(operation_of, spec.fields)]
        for each in spec.fields:
            if each.shared:
                operations[shared_field_resource(organization, each.natural_key)] = [CREATE_RESOURCE]
    return {resource: operations[resource] for resource in sorted(operations)}


type Existing = CustomObjectType | CustomField


def oldest_first[Row: (CustomObjectType, CustomField)](rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda each: (created_at(each), each.id))


def created_at(each: Existing) -> float:
    """Return when Close created it (Unix seconds); infinity when Close gives no valid date.

    Close writes 2020-08-07T15:18:33.797245 (UTC); some resources end in +00:00, some have no fraction.
    """
    return _seconds(each.date_created)


def is_edited(each: Existing) -> bool:
    """Whether Close dates a change of it after its creation. Without such a date it may have been changed, too."""
    updated = _seconds(each.value("date_updated"))
    return math.isfinite(updated) and updated > created_at(each)


def _seconds(date: Any) -> float:
    try:
        moment = datetime.fromisoformat(date)
    except (TypeError, ValueError):
        return math.inf
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class ObservedState(NamedTuple):
    """Close as it was read. ``fields``, ``shared`` and ``roles`` are read only when the request needs them.

    ``organization``: Close's id of the organization.
    """

    types: Sequence[CustomObjectType]
    fields: Sequence[CustomField] = ()
    shared: Sequence[CustomField] = ()
    roles: Sequence[Role] = ()
    organization: str = ""


class Matches(NamedTuple):
    """The existing resources that match a request's specs. match.py makes it, once."""

    types: Mapping[str, Sequence[CustomObjectType]]
    """By natural key: the types that match the spec, oldest first. The first one is used."""
    existing: Mapping[ResourceKey, Mapping[str, Existing]]
    """By resource and operation: the existing resource that the operation would create."""
    own_fields: Mapping[tuple[str | None, str], CustomField]
    """Fields that belong to one type, by the type's id and the field's natural key."""
    look_alikes: Mapping[tuple[ResourceKey, str], tuple["LookAlike", ...]] = EMPTY
    """By resource and operation: what the operation, in doubt, may have created already."""
    undecided: Mapping[ResourceKey, Collection[str]] = EMPTY
    """By resource: the requests with orphaned creates whose results this observation does not decide."""
    renamed: Mapping[ResourceKey, ResourceRecord] = EMPTY
    """By the resource of a renamed type: the ledger's record of its present name, as far as that was needed."""


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
        """Whether it creates a resource that must exist once. Never repeat it without observing Close first."""
        return self in {Action.CREATE_TYPE, Action.CREATE_FIELD, Action.CREATE_SHARED_FIELD, Action.ASSOCIATE}


class Step(NamedTuple):
    """One write. ``operation``: its key in the ``resource`` whose lease covers it.

    ``body`` is the body to send, except for ids that earlier steps yield: ``references`` holds a natural key, and so
    do entries of ``order`` for fields that earlier steps create. ``pointer``: a JSON pointer into the request.
    """

    action: Action
    resource: ResourceKey
    operation: str
    name: str
    pointer: str
    body: Mapping[str, Any] = EMPTY
    close_id: str | None = None  # of the updated resource
    changes: tuple[Difference, ...] = ()
    look_alikes: tuple["LookAlike", ...] = ()  # what an earlier create of the same may have created already


class TypeAction(StrEnum):
    """The action of the plan on one type."""

    CREATE = "create"  # the type is new, or this request created it: create the missing parts
    UPDATE = "update"  # create the missing parts, update the different ones
    ADOPT = "adopt"  # it exists: leave it unchanged
    REJECT = "reject"  # it exists, and if_exists is 'fail'


class TypePlan(NamedTuple):
    """The plan for one type of the request. ``fields``: the existing fields of its spec, by natural key."""

    spec: CustomObjectTypeSpec
    resource: ResourceKey
    existing: CustomObjectType | None
    action: TypeAction
    other_matches: tuple[str, ...] = ()
    fields: Mapping[str, CustomField] = EMPTY
    steps: tuple[Step, ...] = ()
    differences: tuple[Difference, ...] = ()
    blocked: tuple[Blocked, ...] = ()

    @property
    def renamed(self) -> str | None:
        """The present name of the existing type if a person renamed it: then it is adopted and never written to."""
        is_renamed = self.existing is not None and self.existing.natural_key != self.resource.name
        return self.existing.name if self.existing and is_renamed else None


class Plan(NamedTuple):
    """The plan for a request. ``steps`` are in the order of execution."""

    types: tuple[TypePlan, ...]
    steps: tuple[Step, ...]
    references: Mapping[str, str]
    """Ids of all existing types, by natural key."""
    digest: str

    @property
    def blocked(self) -> tuple[Blocked, ...]:
        return tuple(each for plan in self.types for each in plan.blocked)


class Applied(NamedTuple):
    """The result of one run, complete or not.

    ``records``: the records to store in the ledger. ``ids``: ids in Close, by resource and operation. ``stopped_by``:
    the error that ended the run early; None when every step was executed.
    """

    records: Mapping[ResourceKey, ResourceRecord]
    plan: Plan | None = None
    types: Mapping[ResourceKey, CustomObjectType] = {}
    ids: Mapping[tuple[ResourceKey, str], str] = {}
    observed_at: float = 0
    stopped_by: ProvisioningError | None = None
    settled: Outcome | None = None  # the outcome that another run of this request stored before this one wrote
