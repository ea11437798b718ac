"""What becomes of one field of a type's spec: a field of the type's own, or a shared one and its association. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.errors import Unavailable
from provisioner.contract.outcome import Blocked, Difference
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import ASSOCIATION_KEYS, MUTABLE_SHARED_KEYS, FieldSpec, shared_field_desired
from provisioner.ledger.models import CREATE_RESOURCE, ResourceKey
from provisioner.reconcile.diff import (
    IS_OWN,
    IS_SHARED,
    Comparison,
    changed_key,
    compare_field,
    field_path,
    merge_choices,
    oldest_first,
)
from provisioner.reconcile.plan import (
    Action,
    ObservedState,
    Step,
    operation_of,
    shared_field_resource,
    update_operation,
)
from provisioner.reconcile.resolve import unknown_reference, with_role_ids


class PlanContext(NamedTuple):
    """What all parts of a plan are made from. ``references`` and ``shared`` are by natural key."""

    request: ProvisioningRequest
    seen: ObservedState
    references: Mapping[str, str]  # ids of the types that are there
    shared: Mapping[str, CustomField]
    own: Mapping[tuple[str | None, str], CustomField]  # by the type's id and the field's natural key


@dataclass(frozen=True, slots=True)
class FieldPlanner:
    """One field. ``type``: the type that it is wanted on, if that is there; ``pointer``: to the field's spec.

    ``on_type``: natural keys of the type's fields by id, as the type itself lists them.
    """

    context: PlanContext
    resource: ResourceKey
    pointer: str
    spec: FieldSpec
    type: CustomObjectType | None
    on_type: Mapping[str, str]

    @property
    def observed(self) -> CustomField | None:
        """The field that is there. A shared one may be there without being associated with the type."""
        if not self.spec.shared:
            return self._own()
        on_type = (each for each in self.context.seen.shared if each.id in self.on_type)
        mine = oldest_first(each for each in on_type if each.natural_key == self.spec.natural_key)
        return next(iter(mine), self.context.shared.get(self.spec.natural_key))

    @property
    def is_there(self) -> bool:
        """Whether the type has it."""
        return self.observed is not None and (not self.spec.shared or self.observed.id in self.on_type)

    @property
    def desired(self) -> dict[str, Any]:
        """What the spec says of it, with ids for roles. Raises ``Refused``."""
        return with_role_ids(self.spec.desired(), self.context.seen.roles, self.pointer)

    def compare(self) -> Comparison:
        """Raises ``Refused`` for a role or a type that is nowhere, ``NotCreated`` when the lists disagree."""
        desired, reference = self.desired, self._reference()
        if blocked := self._is_in_the_way():
            return Comparison(blocked=(blocked,))
        observed = self.observed
        if observed is None:
            return Comparison()
        if self.spec.shared and self.is_there:
            observed = self._as_associated(observed)
        elif self.spec.shared:
            desired = {key: value for key, value in desired.items() if key not in ASSOCIATION_KEYS}
        comparison = compare_field(self.spec.name, desired, observed, reference)
        return comparison.only(MUTABLE_SHARED_KEYS | ASSOCIATION_KEYS) if self.spec.shared else comparison

    def steps(self, comparison: Comparison, *, updates: bool) -> list[Step]:
        """What is missing and, with ``updates``, what differs. Of what is blocked, nothing."""
        if comparison.blocked:
            return []
        if self.spec.shared:
            return [*self._shared_steps(comparison, updates)]
        operation = operation_of(self.spec)
        if self.observed is None:
            body = {**self.desired, **({"references": self.spec.reference_key} if self.spec.references else {})}
            return [Step(Action.CREATE_FIELD, self.resource, operation, self.spec.name, self.pointer, body)]
        return [*self._update(Action.UPDATE_FIELD, self.resource, operation, comparison.changes)] if updates else []

    def _shared_steps(self, comparison: Comparison, updates: bool) -> Iterator[Step]:
        resource = shared_field_resource(self.resource.tenant, self.spec.natural_key)
        here = [each for each in comparison.changes if changed_key(each) in ASSOCIATION_KEYS]
        there = [each for each in comparison.changes if each not in here]
        if self.observed is None:
            body = shared_field_desired(self.spec)
            yield Step(Action.CREATE_SHARED_FIELD, resource, CREATE_RESOURCE, self.spec.name, self.pointer, body)
        elif updates:
            yield from self._update(Action.UPDATE_SHARED_FIELD, resource, CREATE_RESOURCE, there)
        operation = operation_of(self.spec)
        if not self.is_there:
            association = {name: value for name, value in self.desired.items() if name in ASSOCIATION_KEYS}
            yield Step(Action.ASSOCIATE, self.resource, operation, self.spec.name, self.pointer, association)
        elif updates:
            yield from self._update(Action.UPDATE_ASSOCIATION, self.resource, operation, here)

    def _update(
        self, action: Action, resource: ResourceKey, operation: str, changes: Sequence[Difference]
    ) -> Iterator[Step]:
        if not changes or self.observed is None:
            return
        changes = [self._extending(each, self.observed) for each in changes]
        body = {changed_key(each): each.desired for each in changes}
        close_id, name = self.observed.id, self.spec.name
        yield Step(action, resource, update_operation(operation), name, self.pointer, body, close_id, tuple(changes))

    def _extending(self, change: Difference, observed: CustomField) -> Difference:
        """Choices that are there stay there."""
        if changed_key(change) != "choices":
            return change
        return change.model_copy(update={"desired": merge_choices(observed.choices, change.desired)})

    def _reference(self) -> str | None:
        """The id of the type that it refers to; None when there is none, or none yet."""
        key = self.spec.reference_key
        if self.spec.references is None or key is None:
            return None
        to_make = {spec.natural_key for spec in self.context.request.types}
        if key not in self.context.references and key not in to_make:
            raise unknown_reference(self.spec.references, f"{self.pointer}/references")
        return self.context.references.get(key)

    def _is_in_the_way(self) -> Blocked | None:
        """A shared field where an own one is wanted, or the other way round."""
        reason = None
        if self.spec.shared and not self.is_there and self._own():
            reason = IS_OWN
        elif not self.spec.shared and not self._own() and (ids := self._ids_on_type()):
            if not {each.id for each in self.context.seen.shared}.intersection(ids):
                raise Unavailable("Close's lists of types and of fields do not show the same fields")
            reason = IS_SHARED
        if reason is None:
            return None
        desired = self.spec.shared
        return Blocked(field=field_path(self.spec.name, "shared"), desired=desired, observed=not desired, reason=reason)

    def _own(self) -> CustomField | None:
        return self.context.own.get((self.type.id, self.spec.natural_key)) if self.type else None

    def _ids_on_type(self) -> Collection[str]:
        """Of the type's fields by this name."""
        return {close_id for close_id, name in self.on_type.items() if name == self.spec.natural_key}

    def _as_associated(self, observed: CustomField) -> CustomField:
        """What the association says of it stands with the type."""
        row = self.type.field_row(observed.id) if self.type else {}
        return observed.model_copy(update={key: row.get(key) for key in ASSOCIATION_KEYS})
