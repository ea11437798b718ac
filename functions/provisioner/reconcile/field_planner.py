"""Plan one field of a type's spec: the type's own field, or a shared field and its association. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.errors import Unavailable
from provisioner.contract.outcome import Blocked, Difference
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import ASSOCIATION_KEYS, MUTABLE_SHARED_KEYS, FieldSpec, shared_field_desired
from provisioner.ledger.lease import CREATE_RESOURCE, ResourceKey, ResourceKind
from provisioner.reconcile.diff import (
    IS_OWN,
    IS_SHARED,
    Comparison,
    changed_key,
    compare_field,
    field_path,
    merge_choices,
)
from provisioner.reconcile.plan import (
    Action,
    Matches,
    ObservedState,
    Step,
    operation_of,
    shared_field_resource,
    update_operation,
)
from provisioner.reconcile.resolve import unknown_reference, with_role_ids


class PlanContext(NamedTuple):
    """The input of every part of a plan. ``references``: ids of the existing types, by natural key."""

    request: ProvisioningRequest
    state: ObservedState
    matches: Matches
    references: dict[str, str]

    @property
    def shared_fields(self) -> list[CustomField]:
        """The existing shared fields that the request names."""
        rows = (
            existing.get(CREATE_RESOURCE)
            for resource, existing in self.matches.existing.items()
            if resource.kind is ResourceKind.SHARED_FIELD
        )
        return [row for row in rows if isinstance(row, CustomField)]


@dataclass(frozen=True, slots=True)
class FieldPlanner:
    """The planner of one field. ``type``: the existing type, if any; ``pointer``: to the field's spec."""

    context: PlanContext
    resource: ResourceKey
    pointer: str
    spec: FieldSpec
    type: CustomObjectType | None

    @property
    def observed(self) -> CustomField | None:
        """The existing field. A shared one may exist without being associated with the type."""
        existing = self.context.matches.existing
        found = existing[self.resource].get(operation_of(self.spec))
        if found is None and self.spec.shared:
            found = existing[self._shared_resource].get(CREATE_RESOURCE)
        return cast("CustomField | None", found)

    @property
    def is_on_type(self) -> bool:
        return operation_of(self.spec) in self.context.matches.existing[self.resource]

    @property
    def is_renamed(self) -> bool:
        """Whether a person renamed it in Close: then it is reported, and neither changed nor created again."""
        return self.observed is not None and self.observed.natural_key != self.spec.natural_key

    @property
    def desired(self) -> dict[str, Any]:
        """The keys of the spec, with role ids. Raises ``Rejected`` for an unknown role."""
        return with_role_ids(self.spec.desired(), self.context.state.roles, self.pointer)

    def compare(self) -> Comparison:
        """Compare the spec with the existing field.

        Raises ``Rejected`` for a role or a type that does not exist, ``Unavailable`` when Close's lists disagree.
        """
        desired, reference = self.desired, self._reference()
        if blocked := self._conflict():
            return Comparison(blocked=(blocked,))
        observed = self.observed
        if observed is None:
            return Comparison()
        if self.spec.shared and self.is_on_type:
            observed = self._as_associated(observed)
        elif self.spec.shared:
            desired = {key: value for key, value in desired.items() if key not in ASSOCIATION_KEYS}
        comparison = compare_field(self.spec.name, desired, observed, reference)
        if self.is_renamed:
            return Comparison(immutable=comparison.differences)
        return comparison.only(MUTABLE_SHARED_KEYS | ASSOCIATION_KEYS) if self.spec.shared else comparison

    def steps(self, comparison: Comparison, *, updates: bool) -> list[Step]:
        """Create what is missing and, with ``updates``, update what differs. Nothing for a blocked field.

        A renamed field is left alone. A renamed shared field is only associated.
        """
        if comparison.blocked:
            return []
        if self.spec.shared:
            return [*self._shared_steps(comparison, updates)]
        operation = operation_of(self.spec)
        if self.observed is None:
            body = {**self.desired, **({"references": self.spec.reference_key} if self.spec.references else {})}
            return [self._creation(Action.CREATE_FIELD, self.resource, operation, body)]
        return [*self._update(Action.UPDATE_FIELD, self.resource, operation, comparison.changes)] if updates else []

    def _shared_steps(self, comparison: Comparison, updates: bool) -> Iterator[Step]:
        of_association = [each for each in comparison.changes if changed_key(each) in ASSOCIATION_KEYS]
        of_field = [each for each in comparison.changes if each not in of_association]
        shared = self._shared_resource
        if self.observed is None:
            body = shared_field_desired(self.spec)
            yield self._creation(Action.CREATE_SHARED_FIELD, shared, CREATE_RESOURCE, body)
        elif updates:
            yield from self._update(Action.UPDATE_SHARED_FIELD, shared, CREATE_RESOURCE, of_field)
        operation = operation_of(self.spec)
        if not self.is_on_type:
            association = {key: value for key, value in self.desired.items() if key in ASSOCIATION_KEYS}
            yield self._creation(Action.ASSOCIATE, self.resource, operation, association)
        elif updates:
            yield from self._update(Action.UPDATE_ASSOCIATION, self.resource, operation, of_association)

    def _creation(self, action: Action, resource: ResourceKey, operation: str, body: Mapping[str, Any]) -> Step:
        look_alikes = self.context.matches.look_alikes.get((resource, operation), ())
        return Step(action, resource, operation, self.spec.name, self.pointer, body, look_alikes=look_alikes)

    def _update(
        self, action: Action, resource: ResourceKey, operation: str, changes: Sequence[Difference]
    ) -> Iterator[Step]:
        observed = self.observed
        if not changes or observed is None:
            return
        changes = tuple(self._with_merged_choices(each, observed) for each in changes)
        body = {changed_key(each): each.desired for each in changes}
        name, pointer = self.spec.name, self.pointer
        yield Step(action, resource, update_operation(operation), name, pointer, body, observed.id, changes)

    def _with_merged_choices(self, change: Difference, observed: CustomField) -> Difference:
        """Return the change with the existing choices kept."""
        if changed_key(change) != "choices":
            return change
        return change.model_copy(update={"desired": merge_choices(observed.choices, change.desired)})

    def _reference(self) -> str | None:
        """Return the id of the type that the spec refers to; None without a reference, or before that type exists."""
        key = self.spec.reference_key
        if self.spec.references is None or key is None:
            return None
        requested = {spec.natural_key for spec in self.context.request.types}
        if key not in self.context.references and key not in requested:
            raise unknown_reference(self.spec.references, f"{self.pointer}/references")
        return self.context.references.get(key)

    def _conflict(self) -> Blocked | None:
        """Return the block when the type has its own field where a shared one is desired, or the reverse."""
        key, reason = self.spec.natural_key, None
        if self.spec.shared:
            reason = IS_OWN if not self.is_on_type and self._own_field(key) else None
        elif not self._own_field(key) and (ids := self._ids_on_type(key)):
            if not {each.id for each in self.context.state.shared}.intersection(ids):
                raise Unavailable("Close's lists of types and of fields do not show the same fields")
            reason = IS_SHARED
        if reason is None:
            return None
        shared = self.spec.shared
        return Blocked(field=field_path(self.spec.name, "shared"), desired=shared, observed=not shared, reason=reason)

    def _own_field(self, key: str) -> CustomField | None:
        return self.context.matches.own_fields.get((self.type.id, key)) if self.type else None

    def _ids_on_type(self, key: str) -> Collection[str]:
        """Return the ids of the type's fields with this natural key, from the type's own list."""
        return {close_id for close_id, name in self.type.field_names if name == key} if self.type else set()

    def _as_associated(self, observed: CustomField) -> CustomField:
        """Return the field with the values of its association with this type."""
        row = self.type.field_row(observed.id) if self.type else {}
        return observed.model_copy(update={key: row.get(key) for key in ASSOCIATION_KEYS})

    @property
    def _shared_resource(self) -> ResourceKey:
        return shared_field_resource(self.resource.organization, self.spec.natural_key)
