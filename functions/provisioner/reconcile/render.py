"""Render a plan as JSON, and as text for people. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.contract.outcome import Blocked, Difference
from provisioner.reconcile.plan import Action, Plan, Step, TypeAction, TypePlan

SIGNS = {True: "+", False: "~"}  # by whether the step creates something


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON. A request that carries its ``digest`` is rejected once the plan would differ."""
    return {
        "digest": plan.digest,
        "types": [_type(each) for each in plan.types],
        "steps": [_step(each) for each in plan.steps],
    }


def plan_as_text(plan: Plan) -> str:
    """Return the plan as text: ``+`` creates, ``~`` updates, ``=`` keeps a difference, ``!`` is blocked."""
    lines = [line for each in plan.types for line in _type_lines(each)]
    shared = [step for step in plan.steps if step.action in {Action.CREATE_SHARED_FIELD, Action.UPDATE_SHARED_FIELD}]
    lines += [line for step in shared for line in _step_lines(step, "")]
    total = f"{len(plan.steps)} step{'' if len(plan.steps) == 1 else 's'}, {len(plan.blocked)} blocked"
    return "\n".join([*lines, "", f"{total}; digest {plan.digest}", ""])


def _type(plan: TypePlan) -> dict[str, Any]:
    shown = {
        "name": plan.spec.name,
        "action": plan.action.value,
        "id": plan.existing.id if plan.existing else None,
        "differences": [each.model_dump(mode="json") for each in plan.differences],
        "blocked": [each.model_dump(mode="json") for each in plan.blocked],
        "other_matches": list(plan.other_matches),
    }
    return shown | ({"renamed": plan.renamed} if plan.renamed else {})


def _step(step: Step) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "action": step.action.value,
        "name": step.name,
        "pointer": step.pointer,
        "body": dict(step.body),
    }
    if step.changes:
        shown["changes"] = [each.model_dump(mode="json") for each in step.changes]
    return shown


def _type_lines(plan: TypePlan) -> Iterator[str]:
    if plan.action is TypeAction.REJECT:
        yield f"! type {plan.spec.name} exists, and if_exists is 'fail'"
        return
    if plan.renamed:
        yield f"  type {plan.spec.name} is named {plan.renamed} in Close now: it is adopted unchanged"
    elif not plan.steps and not plan.differences and not plan.blocked:
        yield f"  type {plan.spec.name} is up to date"
    elif not any(step.resource == plan.resource and "type" in step.action for step in plan.steps):
        yield f"  type {plan.spec.name}"
    for step in plan.steps:
        if step.resource == plan.resource:
            yield from _step_lines(step, "" if step.action in {Action.CREATE_TYPE, Action.UPDATE_TYPE} else "    ")
    yield from (f"    = keep {each.field}: {_change(each)}" for each in plan.differences)
    yield from (f"    ! blocked {each.field}: {_change(each)} ({each.reason})" for each in plan.blocked)


def _step_lines(step: Step, indent: str) -> Iterator[str]:
    sign = SIGNS[step.action.creates]
    if step.action is Action.REORDER:
        yield f"{indent}{sign} reorder fields"
        return
    verb, _, what = step.action.partition(" ")
    yield f"{indent}{sign} {verb} {what} {step.name}{_properties(step.body, step.action)}"
    for change in step.changes:
        yield f"{indent}    {change.field.rpartition('/')[2]}: {_change(change)}"


def _properties(body: Mapping[str, Any], action: Action) -> str:
    """Return the main properties of a new field, in parentheses."""
    if action not in {Action.CREATE_FIELD, Action.CREATE_SHARED_FIELD}:
        return ""
    marks = [str(body["type"])]
    marks += [f"to {body['references']}"] if "references" in body else []
    marks += [name.replace("_", " ") for name in ("required", "accepts_multiple_values") if body.get(name)]
    return f" ({', '.join(marks)})"


def _change(difference: Difference | Blocked) -> str:
    return f"{_value(difference.observed)} -> {_value(difference.desired)}"


def _value(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
