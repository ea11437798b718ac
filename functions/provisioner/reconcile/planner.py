"""From what is wanted and what Close has to a plan. Pure: no AWS, no HTTP, no clock.

No step removes anything. Carrying all steps out and planning again gives none.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.outcome import Difference
from provisioner.contract.request import IfExists, ProvisioningRequest
from provisioner.contract.spec import ASSOCIATION_KEYS, CustomObjectTypeSpec
from provisioner.ledger.models import CREATE_RESOURCE, ResourceKey
from provisioner.reconcile.diff import Comparison, archived, compare_type, field_path, matching, oldest_first
from provisioner.reconcile.field_planner import FieldPlanner, PlanContext
from provisioner.reconcile.plan import (
    REORDER_FIELDS,
    Action,
    ObservedState,
    Plan,
    Step,
    TypeAction,
    TypePlan,
    association_operation,
    field_operation,
    type_resource,
    update_operation,
)
from provisioner.reconcile.resolve import referenced_first, with_role_ids


def needs_fields(request: ProvisioningRequest) -> bool:
    return any(spec.fields for spec in request.types)


def needs_shared_fields(request: ProvisioningRequest, seen: ObservedState, ids: Mapping[str, str]) -> bool:
    """Whether shared fields must be looked at: the request wants some, or a type shows a field that is not its own."""
    if any(each.shared for spec in request.types for each in spec.fields):
        return True
    own = {each.id for each in seen.fields}
    for spec in request.types:
        names = {each.natural_key for each in spec.fields}
        for found in _candidates(request, seen, ids, spec.natural_key)[:1]:
            if any(name in names and close_id not in own for close_id, name in found.field_names):
                return True
    return False


def _candidates(
    request: ProvisioningRequest, seen: ObservedState, ids: Mapping[str, str], key: str
) -> list[CustomObjectType]:
    """The types that one of the request's may be. No type that Close has is taken for two of them."""
    return matching(seen.types, key, ids.get(key), {each.natural_key for each in request.types})


def match_resources(
    request: ProvisioningRequest, resource: ResourceKey, seen: ObservedState, ids: Mapping[str, str]
) -> dict[str, CustomObjectType | CustomField]:
    """Of each thing of a type's unit what is there."""
    spec = next(each for each in request.types if each.natural_key == resource.name)
    types = _candidates(request, seen, ids, resource.name)
    if not types:
        return {}
    found: dict[str, CustomObjectType | CustomField] = {CREATE_RESOURCE: types[0]}
    own = oldest_first(each for each in seen.fields if each.custom_object_type_id == types[0].id)
    on_type = [each for each in seen.shared if each.id in types[0].field_ids]
    for each in spec.fields:
        rows, operation = (on_type, association_operation) if each.shared else (own, field_operation)
        if match := next((row for row in rows if row.natural_key == each.natural_key), None):
            found[operation(each.natural_key)] = match
    return found


def plan(
    request: ProvisioningRequest, seen: ObservedState, ids: Mapping[str, str] | None = None, mine: Collection[str] = ()
) -> Plan:
    """What to do. ``ids``: the types' ids in Close as far as they are known, by natural key; ``mine``: the natural keys
    of the types that this very request made, which it goes on with whatever ``if_exists`` says.

    Raises ``Refused`` for a role or a reference that does not exist, ``NotCreated`` when Close's lists contradict one
    another, which they do for a while.
    """
    types = request.types
    known = ids or {}
    found = {each.natural_key: _candidates(request, seen, known, each.natural_key) for each in types}
    references = {each.natural_key: each.id for each in reversed(oldest_first(seen.types))}
    references |= {key: each[0].id for key, each in found.items() if each}
    shared = {each.natural_key: each for each in reversed(oldest_first(seen.shared))}
    own = {(each.custom_object_type_id, each.natural_key): each for each in reversed(oldest_first(seen.fields))}
    context = PlanContext(request, seen, references, shared, own)
    order = referenced_first(types)
    plans, later = {}, {}
    for place, index in enumerate(order):
        spec = types[index]
        created_later = {types[each].natural_key for each in order[place + 1 :]}
        planner = _TypePlanner(context, index, found[spec.natural_key], created_later, spec.natural_key in mine)
        plans[index], later[index] = planner.plan()
    steps = [step for index in order for step in plans[index].steps if step not in later[index]]
    steps += [step for index in order for step in later[index]]
    desired = {each.natural_key for spec in types for each in spec.fields if each.shared}
    shared = {key: each for key, each in shared.items() if key in desired}
    return Plan(
        types=tuple(plans[index] for index in range(len(types))),
        steps=_once(steps),
        references=references,
        shared=shared,
        digest=_digest(context, found, shared),
    )


def _once(steps: Iterable[Step]) -> tuple[Step, ...]:
    """What several types want of a shared field is done once, where it is wanted first."""
    first: dict[tuple[ResourceKey, str], Step] = {}
    for step in steps:
        first.setdefault((step.resource, step.operation), step)
    return tuple(first.values())


def _may_jump(planners: Sequence[FieldPlanner]) -> bool:
    """Whether a new shared field stands before a field of the type's own: Close may list it behind all of those."""
    new = [each.spec.shared and not each.is_there for each in planners]
    return any(is_new and not all(later.spec.shared for later in planners[place:]) for place, is_new in enumerate(new))


ACTION_ON_EXISTING = {
    IfExists.ADOPT: TypeAction.ADOPT,
    IfExists.UPDATE: TypeAction.UPDATE,
    IfExists.FAIL: TypeAction.REJECT,
}


@dataclass(frozen=True, slots=True)
class _TypePlanner:
    """One type's part. ``to_come``: types of the request that are made after it, by natural key."""

    context: PlanContext
    index: int
    found: Sequence[CustomObjectType]
    created_later: Collection[str]
    is_mine: bool

    @property
    def spec(self) -> CustomObjectTypeSpec:
        return self.context.request.types[self.index]

    @property
    def resource(self) -> ResourceKey:
        return type_resource(self.context.request.tenant, self.spec.natural_key)

    @property
    def pointer(self) -> str:
        return self.context.request.pointer(self.index)

    @property
    def existing(self) -> CustomObjectType | None:
        return self.found[0] if self.found else None

    @property
    def mode(self) -> TypeAction:
        otherwise = ACTION_ON_EXISTING[self.context.request.if_exists]
        if self.existing is None or (self.is_mine and otherwise is not TypeAction.UPDATE):
            return TypeAction.CREATE
        return otherwise

    @property
    def updates(self) -> bool:
        """Whether what differs is changed. Of a new type that may be a shared field."""
        return self.context.request.if_exists is IfExists.UPDATE

    @property
    def is_read_only(self) -> bool:
        return self.mode in {TypeAction.ADOPT, TypeAction.REJECT}

    def plan(self) -> tuple[TypePlan, list[Step]]:
        """The plan, and those of its steps that can be done only when every type is there."""
        desired = with_role_ids(self.spec.desired(), self.context.seen.roles, self.pointer)
        itself = compare_type(desired, self.existing) if self.existing else Comparison()
        on_type = dict(self.existing.field_names) if self.existing else {}
        planners = [
            FieldPlanner(self.context, self.resource, f"{self.pointer}/fields/{place}", each, self.existing, on_type)
            for place, each in enumerate(self.spec.fields)
        ]
        fields = [(planner, planner.compare()) for planner in planners]
        steps, later = self._steps(desired, itself, fields)
        plan = TypePlan(
            spec=self.spec,
            resource=self.resource,
            existing=self.existing,
            mode=self.mode,
            other_matches=tuple(each.id for each in self.found[1:]),
            fields={each.spec.natural_key: each.observed for each in planners if each.observed and each.is_there},
            steps=tuple(steps),
            differences=tuple(self._left_alone(itself, fields)),
            blocked=() if self.is_read_only else tuple(each for _, found in fields for each in found.blocked),
        )
        return plan, later

    def _steps(
        self, desired: Mapping[str, Any], itself: Comparison, fields: Sequence[tuple[FieldPlanner, Comparison]]
    ) -> tuple[list[Step], list[Step]]:
        if self.is_read_only:
            return [], []
        steps = [*self._of_itself(desired, itself)]
        for planner, comparison in fields:
            steps += planner.steps(comparison, updates=self.updates)
        later = [
            step
            for step in steps
            if step.action is Action.CREATE_FIELD and step.body.get("references") in self.created_later
        ]
        if reorder := self._reorder(fields, {step.operation for step in later}):
            steps.append(reorder)
            later.append(reorder)
        return steps, later

    def _of_itself(self, desired: Mapping[str, Any], itself: Comparison) -> Iterator[Step]:
        name, pointer = self.spec.name, self.pointer
        if self.existing is None:
            yield Step(Action.CREATE_TYPE, self.resource, CREATE_RESOURCE, name, pointer, desired)
        elif self.mode is TypeAction.UPDATE and itself.changes:
            body = {each.field: desired[each.field] for each in itself.changes}
            operation = update_operation(CREATE_RESOURCE)
            yield Step(
                Action.UPDATE_TYPE, self.resource, operation, name, pointer, body, self.existing.id, itself.changes
            )

    def _left_alone(
        self, itself: Comparison, fields: Sequence[tuple[FieldPlanner, Comparison]]
    ) -> Iterator[Difference]:
        """What differs and is not changed. What is blocked is told apart, unless nothing was to be changed at all."""
        if self.mode is not TypeAction.UPDATE:
            yield from itself.changes
        for planner, comparison in fields:
            if not self.is_read_only:
                yield from comparison.fixed
                if not self.updates or comparison.blocked:  # of a blocked field nothing is changed
                    yield from comparison.changes
            elif planner.is_there or comparison.blocked:
                yield from comparison.differences
            else:
                yield Difference(field=field_path(planner.spec.name), desired=planner.spec.desired(), observed=None)
        if self.existing:
            yield from archived(self.existing)

    def _reorder(self, fields: Sequence[tuple[FieldPlanner, Comparison]], waiting: Collection[str]) -> Step | None:
        """The fields of the spec in its order, in the places that they have among the others.

        ``waiting``: the things that are created last. New fields come at the end.
        """
        planners = [planner for planner, comparison in fields if not comparison.blocked]
        names = [each.spec.natural_key for each in planners]
        ids = {each.spec.natural_key: each.observed.id for each in planners if each.observed and each.is_there}
        new = sorted((name for name in names if name not in ids), key=lambda name: field_operation(name) in waiting)
        by_id = {close_id: name for name, close_id in ids.items()}
        listed = self.existing.field_ids if self.existing else ()
        now = [by_id.get(close_id, close_id) for close_id in dict.fromkeys(listed)]
        now += [name for name in ids if name not in now] + new
        in_order = iter(names)
        then = [next(in_order) if each in names else each for each in now]
        if now == then and not _may_jump(planners):
            return None
        order = {"order": [ids.get(each, each) for each in then]}
        return Step(Action.REORDER, self.resource, REORDER_FIELDS, self.spec.name, f"{self.pointer}/fields", order)


def _digest(
    context: PlanContext, found: Mapping[str, Sequence[CustomObjectType]], shared: Mapping[str, CustomField]
) -> str:
    """Of the spec, and of all at Close that the plan was made from. Nothing in it changes by itself."""
    types = {each.id: each for rows in found.values() for each in rows}
    fields = [each for each in context.seen.fields if each.custom_object_type_id in types]
    document = {
        "desired": [spec.model_dump(mode="json", exclude_unset=True) for spec in context.request.types],
        "if_exists": context.request.if_exists,
        "roles": [with_role_ids(each, context.seen.roles, "").get("editable_with_roles") for each in _wanted(context)],
        "references": sorted([key, context.references.get(key, "")] for key in _referenced(context)),
        "types": sorted([each.id, _looks(each), _rows(each)] for each in types.values()),
        "fields": sorted([each.id, _looks(each)] for each in fields),
        "shared": sorted([each.id, _looks(each)] for each in shared.values()),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


DIGEST_KEYS = (
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


def _wanted(context: PlanContext) -> Iterator[dict[str, Any]]:
    for spec in context.request.types:
        yield spec.desired()
        yield from (each.desired() for each in spec.fields)


def _referenced(context: PlanContext) -> set[str]:
    return {each.reference_key for spec in context.request.types for each in spec.fields if each.reference_key}


def _rows(each: CustomObjectType) -> list[list[Any]]:
    """Its fields in their order, with what an association says of a shared one."""
    rows = ((close_id, each.field_row(close_id)) for close_id in each.field_ids)
    return [[close_id, *(row.get(key) or None for key in sorted(ASSOCIATION_KEYS))] for close_id, row in rows]


def _looks(each: CustomObjectType | CustomField) -> str:
    found = each.model_dump(mode="json")
    return json.dumps([found.get(key) or None for key in DIGEST_KEYS], sort_keys=True)
