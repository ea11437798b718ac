"""What becomes of one field of a type's spec: a field of the type's own, or a shared one and its association. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from provisioner.close_words import CustomField, CustomObjectType
from provisioner.compare import IS_OWN, IS_SHARED, Comparison, compare_field, extended, field_path, key_of, oldest_first
from provisioner.contract import Blocked, Difference, ProvisioningRequest
from provisioner.errors import NotCreated
from provisioner.plan import Action, Seen, Step, shared_unit, thing_of, update_of
from provisioner.records import ITSELF, Unit
from provisioner.resolve import unknown_reference, with_role_ids
from provisioner.spec import OF_A_SHARED_FIELD, OF_THE_ASSOCIATION, FieldSpec, shared_wanted


class Surroundings(NamedTuple):
    """What all parts of a plan are made from. ``references`` and ``shared`` are by natural key."""

    request: ProvisioningRequest
    seen: Seen
    references: Mapping[str, str]  # ids of the types that are there
    shared: Mapping[str, CustomField]
    own: Mapping[tuple[str | None, str], CustomField]  # by the type's id and the field's natural key


@dataclass(frozen=True, slots=True)
class FieldPlanner:
    """One field. ``type``: the type that it is wanted on, if that is there; ``pointer``: to the field's spec.

    ``on_type``: natural keys of the type's fields by id, as the type itself lists them.
    """

    around: Surroundings
    unit: Unit
    pointer: str
    spec: FieldSpec
    type: CustomObjectType | None
    on_type: Mapping[str, str]

    @property
    def actual(self) -> CustomField | None:
        """The field that is there. A shared one may be there without being associated with the type."""
        if not self.spec.shared:
            return self._own()
        on_type = (each for each in self.around.seen.shared if each.id in self.on_type)
        mine = oldest_first(each for each in on_type if each.natural_key == self.spec.natural_key)
        return next(iter(mine), self.around.shared.get(self.spec.natural_key))

    @property
    def is_there(self) -> bool:
        """Whether the type has it."""
        return self.actual is not None and (not self.spec.shared or self.actual.id in self.on_type)

    @property
    def wanted(self) -> dict[str, Any]:
        """What the spec says of it, with ids for roles. Raises ``Refused``."""
        return with_role_ids(self.spec.wanted(), self.around.seen.roles, self.pointer)

    def compare(self) -> Comparison:
        """Raises ``Refused`` for a role or a type that is nowhere, ``NotCreated`` when the lists disagree."""
        wanted, reference = self.wanted, self._reference()
        if blocked := self._is_in_the_way():
            return Comparison(blocked=(blocked,))
        actual = self.actual
        if actual is None:
            return Comparison()
        if self.spec.shared and self.is_there:
            actual = self._as_associated(actual)
        elif self.spec.shared:
            wanted = {key: value for key, value in wanted.items() if key not in OF_THE_ASSOCIATION}
        comparison = compare_field(self.spec.name, wanted, actual, reference)
        return comparison.only(OF_A_SHARED_FIELD | OF_THE_ASSOCIATION) if self.spec.shared else comparison

    def steps(self, comparison: Comparison, *, updates: bool) -> list[Step]:
        """What is missing and, with ``updates``, what differs. Of what is blocked, nothing."""
        if comparison.blocked:
            return []
        if self.spec.shared:
            return [*self._shared_steps(comparison, updates)]
        thing = thing_of(self.spec)
        if self.actual is None:
            body = {**self.wanted, **({"references": self.spec.reference_key} if self.spec.references else {})}
            return [Step(Action.CREATE_FIELD, self.unit, thing, self.spec.name, self.pointer, body)]
        return [*self._update(Action.UPDATE_FIELD, self.unit, thing, comparison.changes)] if updates else []

    def _shared_steps(self, comparison: Comparison, updates: bool) -> Iterator[Step]:
        unit = shared_unit(self.unit.tenant, self.spec.natural_key)
        here = [each for each in comparison.changes if key_of(each) in OF_THE_ASSOCIATION]
        there = [each for each in comparison.changes if each not in here]
        if self.actual is None:
            body = shared_wanted(self.spec)
            yield Step(Action.CREATE_SHARED_FIELD, unit, ITSELF, self.spec.name, self.pointer, body)
        elif updates:
            yield from self._update(Action.UPDATE_SHARED_FIELD, unit, ITSELF, there)
        thing = thing_of(self.spec)
        if not self.is_there:
            association = {name: value for name, value in self.wanted.items() if name in OF_THE_ASSOCIATION}
            yield Step(Action.ASSOCIATE, self.unit, thing, self.spec.name, self.pointer, association)
        elif updates:
            yield from self._update(Action.UPDATE_ASSOCIATION, self.unit, thing, here)

    def _update(self, action: Action, unit: Unit, thing: str, changes: Sequence[Difference]) -> Iterator[Step]:
        if not changes or self.actual is None:
            return
        changes = [self._extending(each, self.actual) for each in changes]
        body = {key_of(each): each.wanted for each in changes}
        close_id, name = self.actual.id, self.spec.name
        yield Step(action, unit, update_of(thing), name, self.pointer, body, close_id, tuple(changes))

    def _extending(self, change: Difference, actual: CustomField) -> Difference:
        """Choices that are there stay there."""
        if key_of(change) != "choices":
            return change
        return change.model_copy(update={"wanted": extended(actual.choices, change.wanted)})

    def _reference(self) -> str | None:
        """The id of the type that it refers to; None when there is none, or none yet."""
        key = self.spec.reference_key
        if self.spec.references is None or key is None:
            return None
        to_make = {spec.natural_key for spec in self.around.request.types}
        if key not in self.around.references and key not in to_make:
            raise unknown_reference(self.spec.references, f"{self.pointer}/references")
        return self.around.references.get(key)

    def _is_in_the_way(self) -> Blocked | None:
        """A shared field where an own one is wanted, or the other way round."""
        why = None
        if self.spec.shared and not self.is_there and self._own():
            why = IS_OWN
        elif not self.spec.shared and not self._own() and (ids := self._ids_on_type()):
            if not {each.id for each in self.around.seen.shared}.intersection(ids):
                raise NotCreated("Close's lists of types and of fields do not show the same fields")
            why = IS_SHARED
        if why is None:
            return None
        wanted = self.spec.shared
        return Blocked(field=field_path(self.spec.name, "shared"), wanted=wanted, actual=not wanted, why=why)

    def _own(self) -> CustomField | None:
        return self.around.own.get((self.type.id, self.spec.natural_key)) if self.type else None

    def _ids_on_type(self) -> Collection[str]:
        """Of the type's fields by this name."""
        return {close_id for close_id, name in self.on_type.items() if name == self.spec.natural_key}

    def _as_associated(self, actual: CustomField) -> CustomField:
        """What the association says of it stands with the type."""
        row = self.type.field_row(actual.id) if self.type else {}
        return actual.model_copy(update={key: row.get(key) for key in OF_THE_ASSOCIATION})
