"""Plan the steps from the observed to the desired state. Pure: no AWS, no HTTP, no clock.

No step removes anything. Planning again after all steps were executed yields no steps.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provisioner.close.models import CustomObjectType
from provisioner.contract.outcome import Difference
from provisioner.contract.request import IfExists, ProvisioningRequest
from provisioner.contract.spec import CustomObjectTypeSpec
from provisioner.ledger.lease import CREATE_RESOURCE, ResourceKey
from provisioner.reconcile.diff import Comparison, archived, compare_type, field_path
from provisioner.reconcile.digest import plan_digest
from provisioner.reconcile.field_order import reorder_step
from provisioner.reconcile.field_planner import FieldPlanner, PlanContext
from provisioner.reconcile.plan import (
    Action,
    Matches,
    ObservedState,
    Plan,
    Step,
    TypeAction,
    TypePlan,
    oldest_first,
    type_resource,
    update_operation,
)
from provisioner.reconcile.resolve import referenced_first, with_role_ids

ACTION_ON_EXISTING = {
    IfExists.ADOPT: TypeAction.ADOPT,
    IfExists.UPDATE: TypeAction.UPDATE,
    IfExists.FAIL: TypeAction.REJECT,
}


def make_plan(
    request: ProvisioningRequest, state: ObservedState, matches: Matches, created_by_request: Collection[str] = ()
) -> Plan:
    """Plan the request. ``created_by_request``: natural keys of the types that it created and may complete.

    Raises ``Rejected`` for a role or a reference that does not exist, ``Unavailable`` while Close's lists contradict
    one another.
    """
    types = request.types
    references = {each.natural_key: each.id for each in reversed(oldest_first(state.types))}
    references |= {key: each[0].id for key, each in matches.types.items() if each}
    context = PlanContext(request, state, matches, references)
    order = referenced_first(types)
    plans, later = {}, {}
    keys = [spec.natural_key for spec in types]
    for place, index in enumerate(order):
        created_later = {keys[each] for each in order[place + 1 :]}
        resource, pointer = type_resource(state.organization, keys[index]), request.pointer(index)
        is_own = keys[index] in created_by_request
        planner = _TypePlanner(context, types[index], resource, pointer, created_later, is_own)
        plans[index], later[index] = planner.plan()
    steps = [step for index in order for step in plans[index].steps if step not in later[index]]
    steps += [step for index in order for step in later[index]]
    return Plan(
        types=tuple(plans[index] for index in range(len(types))),
        steps=_once(steps),
        references=references,
        digest=plan_digest(context),
    )


def _once(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Keep only the first of identical steps: several types may use the same shared field."""
    first: dict[tuple[ResourceKey, str], Step] = {}
    for step in steps:
        first.setdefault((step.resource, step.operation), step)
    return tuple(first.values())


@dataclass(frozen=True, slots=True)
class _TypePlanner:
    """Plans one type. ``created_later``: natural keys of the request's types that are created after it.

    ``pointer``: to the spec in the request's body. ``is_own``: this request created the type.
    """

    context: PlanContext
    spec: CustomObjectTypeSpec
    resource: ResourceKey
    pointer: str
    created_later: Collection[str]
    is_own: bool

    @property
    def matches(self) -> Sequence[CustomObjectType]:
        return self.context.matches.types[self.resource.name]

    @property
    def existing(self) -> CustomObjectType | None:
        return self.matches[0] if self.matches else None

    @property
    def is_renamed(self) -> bool:
        """Whether a person renamed the type: then another lease protects its present name."""
        return self.existing is not None and self.existing.natural_key != self.resource.name

    @property
    def action(self) -> TypeAction:
        otherwise = ACTION_ON_EXISTING[self.context.request.if_exists]
        if self.existing is None:
            return TypeAction.CREATE
        if self.is_renamed:
            return TypeAction.REJECT if otherwise is TypeAction.REJECT and not self.is_own else TypeAction.ADOPT
        return TypeAction.CREATE if self.is_own and otherwise is not TypeAction.UPDATE else otherwise

    @property
    def updates(self) -> bool:
        """Whether differences are changed. Even a new type may have one: in an existing shared field."""
        return self.context.request.if_exists is IfExists.UPDATE

    @property
    def is_read_only(self) -> bool:
        return self.action in {TypeAction.ADOPT, TypeAction.REJECT}

    def plan(self) -> tuple[TypePlan, list[Step]]:
        """Return the plan, and the steps in it that must wait until every type exists."""
        desired = with_role_ids(self.spec.desired(), self.context.state.roles, self.pointer)
        of_type = compare_type(desired, self.existing) if self.existing else Comparison()
        planners = [
            FieldPlanner(self.context, self.resource, f"{self.pointer}/fields/{place}", each, self.existing)
            for place, each in enumerate(self.spec.fields)
        ]
        fields = [(planner, planner.compare()) for planner in planners]
        steps, later = self._steps(desired, of_type, fields)
        plan = TypePlan(
            spec=self.spec,
            resource=self.resource,
            existing=self.existing,
            action=self.action,
            other_matches=tuple(each.id for each in self.matches[1:]),
            fields={each.spec.natural_key: each.observed for each in planners if each.observed and each.is_on_type},
            steps=tuple(steps),
            differences=tuple(self._unapplied(of_type, fields)),
            blocked=() if self.is_read_only else tuple(each for _, found in fields for each in found.blocked),
        )
        return plan, later

    def _steps(
        self, desired: Mapping[str, Any], of_type: Comparison, fields: Sequence[tuple[FieldPlanner, Comparison]]
    ) -> tuple[list[Step], list[Step]]:
        if self.is_read_only:
            return [], []
        steps = [*self._steps_of_type(desired, of_type)]
        for planner, comparison in fields:
            steps += planner.steps(comparison, updates=self.updates)
        later = [
            step
            for step in steps
            if step.action is Action.CREATE_FIELD and step.body.get("references") in self.created_later
        ]
        unblocked = [planner for planner, comparison in fields if not comparison.blocked]
        if reorder := self._reorder(unblocked, later):
            steps.append(reorder)
            later.append(reorder)
        return steps, later

    def _reorder(self, planners: Sequence[FieldPlanner], later: Sequence[Step]) -> Step | None:
        if not planners:
            return None
        created_last = {step.operation for step in later}
        listed = self.existing.field_ids if self.existing else ()
        return reorder_step(planners, listed, created_last, self.spec.name, f"{self.pointer}/fields")

    def _steps_of_type(self, desired: Mapping[str, Any], of_type: Comparison) -> Iterator[Step]:
        name, pointer = self.spec.name, self.pointer
        if self.existing is None:
            alike = self.context.matches.look_alikes.get((self.resource, CREATE_RESOURCE), ())
            create = Step(Action.CREATE_TYPE, self.resource, CREATE_RESOURCE, name, pointer, desired)
            yield create._replace(look_alikes=alike)
        elif self.action is TypeAction.UPDATE and of_type.changes:
            body = {each.field: desired[each.field] for each in of_type.changes}
            operation = update_operation(CREATE_RESOURCE)
            close_id, changes = self.existing.id, of_type.changes
            yield Step(Action.UPDATE_TYPE, self.resource, operation, name, pointer, body, close_id, changes)

    def _unapplied(
        self, of_type: Comparison, fields: Sequence[tuple[FieldPlanner, Comparison]]
    ) -> Iterator[Difference]:
        """Yield the differences that stay. Blocked ones are reported separately, unless the type is read-only."""
        if self.action is not TypeAction.UPDATE:
            yield from of_type.changes
        for planner, comparison in fields:
            if not self.is_read_only:
                yield from comparison.immutable
                if not self.updates or comparison.blocked:  # a blocked field is not changed at all
                    yield from comparison.changes
            elif planner.is_on_type or comparison.blocked:
                yield from comparison.differences
            else:
                yield Difference(field=field_path(planner.spec.name), desired=planner.spec.desired(), observed=None)
        if self.existing:
            yield from archived(self.existing)
