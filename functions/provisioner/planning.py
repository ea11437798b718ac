"""From what is wanted and what Close has to a plan. Pure: no AWS, no HTTP, no clock.

No step removes anything. Carrying all steps out and planning again gives none.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provisioner.close_words import CustomField, CustomObjectType
from provisioner.compare import Comparison, archived, compare_type, field_path, matching, oldest_first
from provisioner.contract import Difference, IfExists, ProvisioningRequest
from provisioner.plan import (
    ORDER,
    Action,
    Mode,
    Plan,
    Seen,
    Step,
    TypePlan,
    association_thing,
    field_thing,
    type_unit,
    update_of,
)
from provisioner.planning_fields import FieldPlanner, Surroundings
from provisioner.records import ITSELF, Unit
from provisioner.resolve import referenced_first, with_role_ids
from provisioner.spec import OF_THE_ASSOCIATION, CustomObjectTypeSpec


def wants_fields(request: ProvisioningRequest) -> bool:
    return any(spec.fields for spec in request.types)


def wants_shared(request: ProvisioningRequest, seen: Seen, ids: Mapping[str, str]) -> bool:
    """Whether shared fields must be looked at: the request wants some, or a type shows a field that is not its own."""
    if any(each.shared for spec in request.types for each in spec.fields):
        return True
    own = {each.id for each in seen.fields}
    for spec in request.types:
        names = {each.natural_key for each in spec.fields}
        for found in _there(request, seen, ids, spec.natural_key)[:1]:
            if any(name in names and close_id not in own for close_id, name in found.field_names):
                return True
    return False


def _there(request: ProvisioningRequest, seen: Seen, ids: Mapping[str, str], key: str) -> list[CustomObjectType]:
    """The types that one of the request's may be. No type that Close has is taken for two of them."""
    return matching(seen.types, key, ids.get(key), {each.natural_key for each in request.types})


def found_of_type(
    request: ProvisioningRequest, unit: Unit, seen: Seen, ids: Mapping[str, str]
) -> dict[str, CustomObjectType | CustomField]:
    """Of each thing of a type's unit what is there."""
    spec = next(each for each in request.types if each.natural_key == unit.key)
    types = _there(request, seen, ids, unit.key)
    if not types:
        return {}
    found: dict[str, CustomObjectType | CustomField] = {ITSELF: types[0]}
    own = oldest_first(each for each in seen.fields if each.custom_object_type_id == types[0].id)
    on_type = [each for each in seen.shared if each.id in types[0].field_ids]
    for each in spec.fields:
        rows, thing = (on_type, association_thing) if each.shared else (own, field_thing)
        if match := next((row for row in rows if row.natural_key == each.natural_key), None):
            found[thing(each.natural_key)] = match
    return found


def plan(
    request: ProvisioningRequest, seen: Seen, ids: Mapping[str, str] | None = None, mine: Collection[str] = ()
) -> Plan:
    """What to do. ``ids``: the types' ids in Close as far as they are known, by natural key; ``mine``: the natural keys
    of the types that this very request made, which it goes on with whatever ``if_exists`` says.

    Raises ``Refused`` for a role or a reference that does not exist, ``NotCreated`` when Close's lists contradict one
    another, which they do for a while.
    """
    types = request.types
    known = ids or {}
    found = {each.natural_key: _there(request, seen, known, each.natural_key) for each in types}
    references = {each.natural_key: each.id for each in reversed(oldest_first(seen.types))}
    references |= {key: each[0].id for key, each in found.items() if each}
    shared = {each.natural_key: each for each in reversed(oldest_first(seen.shared))}
    own = {(each.custom_object_type_id, each.natural_key): each for each in reversed(oldest_first(seen.fields))}
    around = Surroundings(request, seen, references, shared, own)
    order = referenced_first(types)
    plans, later = {}, {}
    for place, index in enumerate(order):
        spec = types[index]
        to_come = {types[each].natural_key for each in order[place + 1 :]}
        planner = _TypePlanner(around, index, found[spec.natural_key], to_come, spec.natural_key in mine)
        plans[index], later[index] = planner.plan()
    steps = [step for index in order for step in plans[index].steps if step not in later[index]]
    steps += [step for index in order for step in later[index]]
    wanted = {each.natural_key for spec in types for each in spec.fields if each.shared}
    shared = {key: each for key, each in shared.items() if key in wanted}
    return Plan(
        types=tuple(plans[index] for index in range(len(types))),
        steps=_once(steps),
        references=references,
        shared=shared,
        digest=_digest(around, found, shared),
    )


def _once(steps: Iterable[Step]) -> tuple[Step, ...]:
    """What several types want of a shared field is done once, where it is wanted first."""
    first: dict[tuple[Unit, str], Step] = {}
    for step in steps:
        first.setdefault((step.unit, step.thing), step)
    return tuple(first.values())


def _may_jump(planners: Sequence[FieldPlanner]) -> bool:
    """Whether a new shared field stands before a field of the type's own: Close may list it behind all of those."""
    new = [each.spec.shared and not each.is_there for each in planners]
    return any(is_new and not all(later.spec.shared for later in planners[place:]) for place, is_new in enumerate(new))


OF_WHAT_EXISTS = {IfExists.ADOPT: Mode.LEAVE, IfExists.UPDATE: Mode.UPDATE, IfExists.FAIL: Mode.REFUSE}


@dataclass(frozen=True, slots=True)
class _TypePlanner:
    """One type's part. ``to_come``: types of the request that are made after it, by natural key."""

    around: Surroundings
    index: int
    found: Sequence[CustomObjectType]
    to_come: Collection[str]
    is_mine: bool

    @property
    def spec(self) -> CustomObjectTypeSpec:
        return self.around.request.types[self.index]

    @property
    def unit(self) -> Unit:
        return type_unit(self.around.request.tenant, self.spec.natural_key)

    @property
    def pointer(self) -> str:
        return self.around.request.pointer(self.index)

    @property
    def existing(self) -> CustomObjectType | None:
        return self.found[0] if self.found else None

    @property
    def mode(self) -> Mode:
        otherwise = OF_WHAT_EXISTS[self.around.request.if_exists]
        if self.existing is None or (self.is_mine and otherwise is not Mode.UPDATE):
            return Mode.MAKE
        return otherwise

    @property
    def updates(self) -> bool:
        """Whether what differs is changed. Of a new type that may be a shared field."""
        return self.around.request.if_exists is IfExists.UPDATE

    @property
    def stays(self) -> bool:
        return self.mode in {Mode.LEAVE, Mode.REFUSE}

    def plan(self) -> tuple[TypePlan, list[Step]]:
        """The plan, and those of its steps that can be done only when every type is there."""
        wanted = with_role_ids(self.spec.wanted(), self.around.seen.roles, self.pointer)
        itself = compare_type(wanted, self.existing) if self.existing else Comparison()
        on_type = dict(self.existing.field_names) if self.existing else {}
        planners = [
            FieldPlanner(self.around, self.unit, f"{self.pointer}/fields/{place}", each, self.existing, on_type)
            for place, each in enumerate(self.spec.fields)
        ]
        fields = [(planner, planner.compare()) for planner in planners]
        steps, later = self._steps(wanted, itself, fields)
        plan = TypePlan(
            spec=self.spec,
            unit=self.unit,
            existing=self.existing,
            mode=self.mode,
            also_found=tuple(each.id for each in self.found[1:]),
            fields={each.spec.natural_key: each.actual for each in planners if each.actual and each.is_there},
            steps=tuple(steps),
            differences=tuple(self._left_alone(itself, fields)),
            blocked=() if self.stays else tuple(each for _, found in fields for each in found.blocked),
        )
        return plan, later

    def _steps(
        self, wanted: Mapping[str, Any], itself: Comparison, fields: Sequence[tuple[FieldPlanner, Comparison]]
    ) -> tuple[list[Step], list[Step]]:
        if self.stays:
            return [], []
        steps = [*self._of_itself(wanted, itself)]
        for planner, comparison in fields:
            steps += planner.steps(comparison, updates=self.updates)
        later = [
            step for step in steps if step.action is Action.CREATE_FIELD and step.body.get("references") in self.to_come
        ]
        if reorder := self._reorder(fields, {step.thing for step in later}):
            steps.append(reorder)
            later.append(reorder)
        return steps, later

    def _of_itself(self, wanted: Mapping[str, Any], itself: Comparison) -> Iterator[Step]:
        name, pointer = self.spec.name, self.pointer
        if self.existing is None:
            yield Step(Action.CREATE_TYPE, self.unit, ITSELF, name, pointer, wanted)
        elif self.mode is Mode.UPDATE and itself.changes:
            body = {each.field: wanted[each.field] for each in itself.changes}
            thing = update_of(ITSELF)
            yield Step(Action.UPDATE_TYPE, self.unit, thing, name, pointer, body, self.existing.id, itself.changes)

    def _left_alone(
        self, itself: Comparison, fields: Sequence[tuple[FieldPlanner, Comparison]]
    ) -> Iterator[Difference]:
        """What differs and is not changed. What is blocked is told apart, unless nothing was to be changed at all."""
        if self.mode is not Mode.UPDATE:
            yield from itself.changes
        for planner, comparison in fields:
            if not self.stays:
                yield from comparison.fixed
                if not self.updates or comparison.blocked:  # of a blocked field nothing is changed
                    yield from comparison.changes
            elif planner.is_there or comparison.blocked:
                yield from comparison.differences
            else:
                yield Difference(field=field_path(planner.spec.name), wanted=planner.spec.wanted(), actual=None)
        if self.existing:
            yield from archived(self.existing)

    def _reorder(self, fields: Sequence[tuple[FieldPlanner, Comparison]], waiting: Collection[str]) -> Step | None:
        """The fields of the spec in its order, in the places that they have among the others.

        ``waiting``: the things that are created last. New fields come at the end.
        """
        planners = [planner for planner, comparison in fields if not comparison.blocked]
        names = [each.spec.natural_key for each in planners]
        ids = {each.spec.natural_key: each.actual.id for each in planners if each.actual and each.is_there}
        new = sorted((name for name in names if name not in ids), key=lambda name: field_thing(name) in waiting)
        by_id = {close_id: name for name, close_id in ids.items()}
        listed = self.existing.field_ids if self.existing else ()
        now = [by_id.get(close_id, close_id) for close_id in dict.fromkeys(listed)]
        now += [name for name in ids if name not in now] + new
        in_order = iter(names)
        then = [next(in_order) if each in names else each for each in now]
        if now == then and not _may_jump(planners):
            return None
        order = {"order": [ids.get(each, each) for each in then]}
        return Step(Action.REORDER, self.unit, ORDER, self.spec.name, f"{self.pointer}/fields", order)


def _digest(
    around: Surroundings, found: Mapping[str, Sequence[CustomObjectType]], shared: Mapping[str, CustomField]
) -> str:
    """Of the spec, and of all at Close that the plan was made from. Nothing in it changes by itself."""
    types = {each.id: each for rows in found.values() for each in rows}
    fields = [each for each in around.seen.fields if each.custom_object_type_id in types]
    document = {
        "wanted": [spec.model_dump(mode="json", exclude_unset=True) for spec in around.request.types],
        "if_exists": around.request.if_exists,
        "roles": [with_role_ids(each, around.seen.roles, "").get("editable_with_roles") for each in _wanted(around)],
        "references": sorted([key, around.references.get(key, "")] for key in _referenced(around)),
        "types": sorted([each.id, _looks(each), _rows(each)] for each in types.values()),
        "fields": sorted([each.id, _looks(each)] for each in fields),
        "shared": sorted([each.id, _looks(each)] for each in shared.values()),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


COMPARED = (
    *(
        "name",
        "name_plural",
        "description",
        "api_create_only",
        "editable_with_roles",
        "is_archived",
        "type",
        "required",
    ),
    *("accepts_multiple_values", "choices", "referenced_custom_type_id", "back_reference_is_visible"),
)
"""The keys of types and fields that plans depend on. Dates are not among them."""


def _wanted(around: Surroundings) -> Iterator[dict[str, Any]]:
    for spec in around.request.types:
        yield spec.wanted()
        yield from (each.wanted() for each in spec.fields)


def _referenced(around: Surroundings) -> set[str]:
    return {each.reference_key for spec in around.request.types for each in spec.fields if each.reference_key}


def _rows(each: CustomObjectType) -> list[list[Any]]:
    """Its fields in their order, with what an association says of a shared one."""
    rows = ((close_id, each.field_row(close_id)) for close_id in each.field_ids)
    return [[close_id, *(row.get(key) or None for key in sorted(OF_THE_ASSOCIATION))] for close_id, row in rows]


def _looks(each: CustomObjectType | CustomField) -> str:
    found = each.model_dump(mode="json")
    return json.dumps([found.get(key) or None for key in COMPARED], sort_keys=True)
