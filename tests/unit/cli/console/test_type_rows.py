"""The rows of a type: one for each difference, in words."""

from close_provisioner.client.tenants import TenantType
from close_provisioner.console.type_rows import Row, TypeView

FOUND = {
    "name": "Device",
    "id": "cotype_1",
    "request": "c" * 32,
    "asked_at": None,
    "keys": [
        {"key": "description", "observed": None, "desired": None, "differs": False},
        {"key": "fields/Serial/number", "observed": "text", "desired": "text", "differs": False},
        {"key": "fields/Serial/number/type", "observed": "text", "desired": "number", "differs": True},
        {"key": "fields/Owner", "observed": "user", "desired": "user", "differs": False},
        {"key": "fields/Weight", "observed": None, "desired": {"name": "Weight", "required": True}, "differs": True},
        {"key": "fields/State/choices", "observed": ["a"], "desired": ["a", "b"], "differs": True},
    ],
}


def test_a_row_for_each_difference_in_words() -> None:
    assert TypeView.of(TenantType.model_validate(FOUND)).rows == (
        Row("description", "", "", "same"),
        Row("field Serial/number, type", "text", "number", "changed"),
        Row("field Owner", "user", "user", "same"),
        Row("field Weight", "", "name: Weight, required: yes", "missing"),
        Row("field State, choices", "a", "a, b", "changed"),
    )
