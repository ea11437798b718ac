"""Additive, and at rest afterwards: for any spec and any state of Close, carried out once there is nothing left to do,
and all that was there is there still.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.text import natural_key
from provisioner.reconcile.plan import Action, Plan
from tests.close import SimulatedClose
from tests.fakes import MemoryWorld

TYPES, FIELDS = ("Alpha", "Beta", "Gamma"), ("One", "Two", "Three", "Four")
CHOICES = ("Free", "Paid", "Large")
ROLES = {"role_1": "Manager", "role_2": "Sales"}
KINDS = ("text", "number", "choices", "user", "custom_object")
NESTED = {"fields", "back_reference_fields", "associations"}
TEXTS = st.sampled_from(["", "old", "new"])


def spelled(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(names).flatmap(lambda name: st.sampled_from([name, name.upper()]))


def some(names: tuple[str, ...], least: int = 0) -> st.SearchStrategy[list[str]]:
    """Return some of the names, each in any spelling, in any order."""
    numbers = st.integers(least, len(names))
    return st.tuples(st.permutations(names), numbers).flatmap(
        lambda drawn: st.tuples(*(spelled((name,)) for name in drawn[0][: drawn[1]])).map(list)
    )


@st.composite
def field_keys(draw: st.DrawFn, *, shared: bool, spec: bool) -> dict[str, Any]:
    """Return the keys of a field but its name, as a spec or as Close has them."""
    kind = draw(st.sampled_from(KINDS[:-1] if shared else KINDS))
    keys: dict[str, Any] = {"type": kind, **draw(st.fixed_dictionaries({}, optional={"description": TEXTS}))}
    if kind == "choices":
        keys["choices"] = draw(st.lists(st.sampled_from(CHOICES), min_size=1, unique=True))
    if kind in {"choices", "user"}:
        keys |= draw(st.fixed_dictionaries({}, optional={"accepts_multiple_values": st.booleans()}))
    if kind == "custom_object":
        keys["references" if spec else "referenced_custom_type_id"] = draw(spelled(TYPES))
        keys |= draw(st.fixed_dictionaries({}, optional={"back_reference_is_visible": st.booleans()}))
    return keys if shared else {**keys, **draw(of_association(spec=spec))}


def of_association(*, spec: bool) -> st.SearchStrategy[dict[str, Any]]:
    roles = ["Manager", "SALES", "role_2"] if spec else list(ROLES)
    several = st.lists(st.sampled_from(roles), max_size=2, unique=True)
    return st.fixed_dictionaries({}, optional={"required": st.booleans(), "editable_with_roles": several})


@st.composite
def requests(draw: st.DrawFn, /, **further: Any) -> ProvisioningRequest:
    shared = {
        natural_key(name): {"name": name, "shared": True, **draw(field_keys(shared=True, spec=True))} for name in FIELDS
    }
    types = []
    for name in draw(some(TYPES, least=1)):
        fields = []
        for field in draw(some(FIELDS)):
            if draw(st.booleans()):
                fields.append(shared[natural_key(field)] | draw(of_association(spec=True)))
            else:
                fields.append({"name": field, **draw(field_keys(shared=False, spec=True))})
        keys = draw(st.fixed_dictionaries({}, optional={"description": TEXTS, "api_create_only": st.booleans()}))
        types.append({"name": name, "name_plural": draw(st.sampled_from(["As", "Bs"])), "fields": fields, **keys})
    document = {"tenant": "acme", "request_id": "1", "custom_object_types": types, **further}
    return ProvisioningRequest.model_validate(document)


@st.composite
def worlds(draw: st.DrawFn) -> MemoryWorld:
    """Return an organization that users of Close have filled before, not always tidily."""
    world = MemoryWorld(list_lag=60)
    close = world.close
    close.add_roles(**ROLES)
    for name in draw(st.lists(spelled(TYPES), max_size=4)):  # a name may occur twice
        close.add(name, name_plural=draw(st.sampled_from(["As", "Bs"])), description=draw(TEXTS))
    for name in draw(some(FIELDS)):
        close.add_field(None, name, **draw(field_keys(shared=True, spec=False)))
    for each in list(close.existing):
        own = draw(st.lists(spelled(FIELDS), max_size=3))  # so may a field's
        for name in own:
            keys = draw(field_keys(shared=False, spec=False))
            if reference := keys.get("referenced_custom_type_id"):
                found = [other.id for other in close.existing if other.name == reference]
                keys["referenced_custom_type_id"] = found[0] if found else each.id
            close.add_field(each.id, name, **keys)
        for field in close.shared:
            if draw(st.booleans()):
                close.add_association(field.id, each.id, **draw(of_association(spec=False)))
        close.sort_fields(each.id, draw(st.permutations(close.order[each.id])))
    return world


def snapshot(close: SimulatedClose) -> dict[str, dict[str, Any]]:
    """Return every object in Close by its id, and associations by both ids."""
    rows = (*close.existing, *close.fields, *close.shared)
    operations = {each.id: each.model_dump(mode="json", exclude=NESTED) for each in rows}
    return operations | {f"{a} of {b}": dict(body) for (a, b), body in close.associations.items()}


def check_nothing_is_lost(
    before: Mapping[str, dict[str, Any]], orders: dict[str, list[str]], close: SimulatedClose
) -> None:
    after = snapshot(close)
    assert before.keys() <= after.keys()
    for close_id, operation in before.items():
        now = after[close_id]
        for key in ("id", "type", "custom_object_type_id", "referenced_custom_type_id", "organization_id"):
            assert now.get(key) == operation.get(key)
        assert set(operation.get("choices") or ()) <= set(now.get("choices") or ())
        assert now.get("accepts_multiple_values") or not operation.get("accepts_multiple_values")
        assert natural_key(now.get("name", "")) == natural_key(operation.get("name", ""))
    for type_id, ids in orders.items():
        assert set(ids) <= set(close.order[type_id])


def names(close: SimulatedClose) -> Counter[tuple[str | None, str]]:
    """Count types, shared fields, and fields of a type (shared ones included) by name."""
    shared = {each.id: each for each in close.shared}
    associated = ((type_id, shared[field_id].natural_key) for field_id, type_id in close.associations)
    return Counter(
        [
            *((f"type {natural_key(name)}", "") for name in close.names),
            *((each.custom_object_type_id, each.natural_key) for each in (*close.fields, *close.shared)),
            *associated,
        ]
    )


def check_nothing_is_doubled(before: Counter[tuple[str | None, str]], close: SimulatedClose) -> None:
    assert all(number <= max(before[name], 1) for name, number in names(close).items())


def check_steps_add(planned: Plan, close: SimulatedClose) -> None:
    """Assert that no step removes anything."""
    fields = {each.id: each for each in (*close.fields, *close.shared)}
    for step in planned.steps:
        assert "type" not in step.body or step.action.creates
        if step.action in {Action.UPDATE_FIELD, Action.UPDATE_SHARED_FIELD}:
            observed = fields[step.close_id or ""]
            assert set(observed.choices or ()) <= set(step.body.get("choices", observed.choices or ()))
            assert step.body.get("accepts_multiple_values") is not False or not observed.value(
                "accepts_multiple_values"
            )
        if step.action is Action.REORDER:
            type_id = planned.references.get(step.resource.name, "")
            assert set(close.order.get(type_id, [])) <= set(step.body["order"])
            assert not [each for each, times in Counter(step.body["order"]).items() if times > 1]


def planned_by(world: MemoryWorld, request: ProvisioningRequest) -> Plan:
    return world.provisioner.plan(request, world.organization())


def assume_references(request: ProvisioningRequest, close: SimulatedClose) -> None:
    there = {natural_key(name) for name in close.names} | {each.natural_key for each in request.types}
    assume(all(each.reference_key in {None, *there} for spec in request.types for each in spec.fields))


def settled(world: MemoryWorld, request: ProvisioningRequest) -> Outcome:
    return world.settle(request, runs=30)[0]


CAREFULLY = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


@given(worlds(), requests(if_exists="update", allow_partial=True), st.booleans())
@CAREFULLY
def test_an_applied_request_leaves_no_step(world: MemoryWorld, request: ProvisioningRequest, by_digest: bool) -> None:
    assume_references(request, world.close)
    before, orders = snapshot(world.close), {key: list(ids) for key, ids in world.close.order.items()}
    names_before = names(world.close)
    planned = planned_by(world, request)
    check_steps_add(planned, world.close)
    event(f"{'blocked' if planned.blocked else 'all possible'}, {min(len(planned.steps), 8)} steps")
    if by_digest:
        request = request.model_copy(update={"plan_digest": planned.digest})

    outcome = settled(world, request)

    assert outcome.succeeded, outcome
    again = planned_by(world, request.model_copy(update={"request_id": "2"}))
    assert again.steps == ()
    assert [each.field for each in again.blocked] == [each.field for each in planned.blocked]
    assert len(world.close.writes) == len(planned.steps)
    check_nothing_is_lost(before, orders, world.close)
    check_nothing_is_doubled(names_before, world.close)


@given(worlds(), requests(if_exists="update"))
@CAREFULLY
def test_a_blocked_request_has_no_effect(world: MemoryWorld, request: ProvisioningRequest) -> None:
    assume_references(request, world.close)
    blocked = bool(planned_by(world, request).blocked)
    before = snapshot(world.close)

    outcome = settled(world, request)

    assert outcome.succeeded is not blocked
    if blocked:
        assert (snapshot(world.close), world.close.writes) == (before, [])
    else:
        assert planned_by(world, request).steps == ()


@given(worlds(), requests())
@CAREFULLY
def test_adopting_changes_no_existing_object(world: MemoryWorld, request: ProvisioningRequest) -> None:
    assume_references(request, world.close)
    before = snapshot(world.close)
    orders = {key: list(ids) for key, ids in world.close.order.items()}
    assume(not planned_by(world, request).blocked)

    outcome = settled(world, request)

    assert outcome.succeeded
    after = snapshot(world.close)
    assert {close_id: after[close_id] for close_id in before} == before
    assert {type_id: world.close.order[type_id] for type_id in orders} == orders
    assert planned_by(world, request).steps == ()


@given(worlds(), requests(if_exists="update", allow_partial=True))
@CAREFULLY
def test_the_same_request_by_two_callers_is_applied_once(world: MemoryWorld, request: ProvisioningRequest) -> None:
    assume_references(request, world.close)
    settled(world, request)
    writes = list(world.close.writes)

    outcome = settled(world, request.model_copy(update={"request_id": "2"}))

    assert outcome.succeeded
    assert world.close.writes == writes
    assert all(each.result in {"unchanged", "adopted"} for each in outcome.types)
