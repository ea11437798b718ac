"""The roles of an organization, and the permissions of each."""

from collections.abc import Mapping

LITERAL_ROLES = {"admin": "Admin", "superuser": "Super User", "user": "User", "restricteduser": "Restricted User"}
"""Built-in roles. The ids of the first two were observed, the others follow their pattern."""

CUSTOMIZE = "manage_customizations"
PERMISSIONS = ("manage_organization", CUSTOMIZE, "bulk_edit", "export", "view_all_leads")
_WITH_ALL = ("admin", "superuser")

type OwnRole = str | Mapping[str, object]
"""The name of a role without permissions, or ``{"name": …, "permissions": […]}``."""


def name_of(role: OwnRole) -> str:
    return role if isinstance(role, str) else str(role["name"])


def permissions_of(role_id: str, own: Mapping[str, OwnRole]) -> list[str]:
    """Return the permissions of a role, built-in or one of the organization's ``own``."""
    role = own.get(role_id, "")
    if isinstance(role, str):
        return list(PERMISSIONS) if role_id in _WITH_ALL else []
    permissions = role.get("permissions", ())
    assert isinstance(permissions, list | tuple)  # noqa: S101 - the control API checks it
    return [str(each) for each in permissions]


def is_role(value: object) -> bool:
    """Return whether the value describes a role."""
    if isinstance(value, str):
        return True
    if not isinstance(value, dict) or not value.keys() <= {"name", "permissions"}:
        return False
    permissions = value.get("permissions", [])
    return isinstance(value.get("name"), str) and is_list_of_strings(permissions)


def is_list_of_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
