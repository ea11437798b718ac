"""Plan the order of a type's fields. Pure."""

from collections.abc import Collection, Sequence

from provisioner.reconcile.field_planner import FieldPlanner
from provisioner.reconcile.plan import REORDER_FIELDS, Action, Step, field_operation


def reorder_step(
    planners: Sequence[FieldPlanner], listed: Sequence[str], created_last: Collection[str], name: str, pointer: str
) -> Step | None:
    """Return the step that puts the spec's fields in its order, or None when they are in order already.

    The type's other fields keep their places. ``listed``: ids of the type's fields in their present order.
    ``created_last``: the operations executed last. Close lists new fields at the end.
    """
    names = [each.spec.natural_key for each in planners]
    ids = {each.spec.natural_key: each.observed.id for each in planners if each.observed and each.is_on_type}
    new = sorted((name for name in names if name not in ids), key=lambda name: field_operation(name) in created_last)
    by_id = {close_id: name for name, close_id in ids.items()}
    before = [by_id.get(close_id, close_id) for close_id in dict.fromkeys(listed)]
    before += [name for name in ids if name not in before] + new
    in_order = iter(names)
    after = [next(in_order) if each in names else each for each in before]
    if before == after and not _may_jump(planners):
        return None
    order = {"order": [ids.get(each, each) for each in after]}
    return Step(Action.REORDER, planners[0].resource, REORDER_FIELDS, name, pointer, order)


def _may_jump(planners: Sequence[FieldPlanner]) -> bool:
    """Return whether a shared field precedes one of the type's own, and one of the two is new.

    Close may list all shared fields after the type's own ones, until they are put in order.
    """
    return any(
        shared.spec.shared and not own.spec.shared and not (shared.is_on_type and own.is_on_type)
        for place, shared in enumerate(planners)
        for own in planners[place + 1 :]
    )
