"""Resolve the names of roles and of referenced types in a spec to their ids in Close. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provisioner.close.models import Role
from provisioner.contract.errors import ErrorDetail, ProblemType, Rejected
from provisioner.contract.spec import CustomObjectTypeSpec
from provisioner.contract.text import natural_key

SHOWN_ROLES = 50


def needs_roles(types: Iterable[CustomObjectTypeSpec]) -> bool:
    """Return whether one of these specs names a role."""
    return any(spec.editable_with_roles or any(each.editable_with_roles for each in spec.fields) for spec in types)


def with_role_ids(desired: Mapping[str, Any], roles: Sequence[Role], pointer: str) -> dict[str, Any]:
    """Return the same keys with ids for role names. ``pointer``: a JSON pointer to these keys in the request.

    Raises ``Rejected``, with a list of the existing roles, for an unknown role or a name that several roles have.
    """
    names = desired.get("editable_with_roles")
    if not names:
        return dict(desired)
    ids = [_role_id(name, roles, f"{pointer}/editable_with_roles/{index}") for index, name in enumerate(names)]
    return {**desired, "editable_with_roles": list(dict.fromkeys(ids))}


def _role_id(name: str, roles: Sequence[Role], pointer: str) -> str:
    if any(role.id == name for role in roles):
        return name
    found = [role.id for role in roles if role.natural_key == natural_key(name)]
    if len(found) == 1:
        return found[0]
    existing = ", ".join(f"{role.name} ({role.id})" for role in roles[:SHOWN_ROLES]) or "none that this key may see"
    what = f"{len(found)} roles are named {name!r}: use the id" if found else f"role {name!r} does not exist"
    detail = f"{what}. Roles of the organization: {existing}"
    raise Rejected(ProblemType.ROLE_NOT_FOUND, f"{detail}.", errors=(ErrorDetail(pointer=pointer, detail=detail),))


def unknown_reference(name: str, pointer: str) -> Rejected:
    """Return the rejection of a field whose referenced type is neither in the organization nor in the request."""
    detail = f"neither the organization nor this request has a Custom Object Type named {name!r}"
    return Rejected(
        ProblemType.REFERENCE_NOT_FOUND,
        f"{detail[0].upper()}{detail[1:]}.",
        errors=(ErrorDetail(pointer=pointer, detail=detail),),
    )


def referenced_first(types: Sequence[CustomObjectTypeSpec]) -> list[int]:
    """Return the order of creation: each type after the types that it refers to, except in a cycle of references.

    Otherwise the order is the request's.
    """
    places = {spec.natural_key: index for index, spec in enumerate(types)}
    order: dict[int, None] = {}
    begun: set[int] = set()

    def visit(index: int) -> None:
        if index in begun:
            return
        begun.add(index)
        for field in types[index].fields:
            if field.references and (place := places.get(natural_key(field.references))) is not None:
                visit(place)
        order[index] = None

    for index in range(len(types)):
        visit(index)
    return list(order)
