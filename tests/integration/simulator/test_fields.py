"""Custom fields of types, shared ones, and their order."""

import re
from typing import Any

import httpx
import pytest

from infra.simulator import ControlClient

FIELDS = "custom_field/custom_object_type/"


@pytest.fixture
def type_id(client: httpx.Client) -> str:
    return new_type(client, "Invoice")


def new_type(client: httpx.Client, name: str) -> str:
    made = client.post("custom_object_type/", json={"name": name, "name_plural": f"{name}s"}).json()
    return str(made["id"])


def add(client: httpx.Client, type_id: str, name: str = "Amount", **body: Any) -> httpx.Response:
    return client.post(FIELDS, json={"custom_object_type_id": type_id, "name": name, "type": "number", **body})


def test_a_field_is_created_as_documented(client: httpx.Client, type_id: str) -> None:
    response = add(client, type_id, required=True, description="In euros")
    made = response.json()
    assert response.status_code == 201
    assert re.fullmatch(r"cf_[A-Za-z0-9]{43}", made["id"])
    expected = {
        "name": "Amount",
        "description": "In euros",
        "type": "number",
        "required": True,
        "accepts_multiple_values": False,
        "editable_with_roles": [],
        "choices": None,
        "referenced_custom_type_id": None,
        "back_reference_is_visible": None,
        "custom_object_type_id": type_id,
        "organization_id": "orga_acme",
        "is_shared": False,
    }
    assert {key: made[key] for key in expected} == expected
    assert client.get(f"{FIELDS}{made['id']}/").json() == made
    assert client.get(FIELDS).json() == {"data": [made]}
    [nested] = client.get(f"custom_object_type/{type_id}/").json()["fields"]
    assert (nested["id"], nested["name"], nested["required"]) == (made["id"], "Amount", True)


def test_a_field_changes_but_not_its_type_or_parent(client: httpx.Client, type_id: str) -> None:
    made = add(client, type_id, type="choices", choices=["a"]).json()
    path = f"{FIELDS}{made['id']}/"
    changed = client.put(path, json={"name": "State", "choices": ["a", "b"], "accepts_multiple_values": True})
    assert (changed.json()["name"], changed.json()["choices"]) == ("State", ["a", "b"])
    fixed = client.put(path, json={"type": "text", "custom_object_type_id": new_type(client, "Other")})
    assert fixed.status_code == 400
    assert fixed.json()["field-errors"].keys() == {"type", "custom_object_type_id"}
    assert client.put(path, json={"type": "choices"}).status_code == 200


def test_a_reference_shows_on_both_sides(client: httpx.Client, type_id: str) -> None:
    customer = new_type(client, "Customer")
    made = add(client, type_id, "Owed by", type="custom_object", referenced_custom_type_id=customer).json()
    [back] = client.get(f"custom_object_type/{customer}/").json()["back_reference_fields"]
    assert (back["id"], back["referenced_custom_type_id"]) == (made["id"], customer)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"type": "checkbox"}, "type"),
        ({"type": "choices"}, "choices"),
        ({"type": "choices", "choices": [1]}, "choices"),
        ({"type": "custom_object"}, "referenced_custom_type_id"),
        ({"accepts_multiple_values": True}, "accepts_multiple_values"),
        ({"description": "x" * 281}, "description"),
        ({"custom_object_type_id": "cotype_none"}, "custom_object_type_id"),
        ({"name": " "}, "name"),
    ],
)
def test_invalid_fields_are_rejected(client: httpx.Client, type_id: str, body: dict[str, Any], wrong: str) -> None:
    response = add(client, type_id, **body)
    assert (response.status_code, [*response.json()["field-errors"]]) == (400, [wrong])
    assert client.get(FIELDS).json() == {"data": []}


def test_the_deletion_of_a_type_deletes_its_fields_and_references(client: httpx.Client, type_id: str) -> None:
    customer = new_type(client, "Customer")
    add(client, customer)
    add(client, type_id, "Owed by", type="custom_object", referenced_custom_type_id=customer)
    kept = add(client, type_id).json()
    client.delete(f"custom_object_type/{customer}/")
    assert client.get(FIELDS).json() == {"data": [kept]}


def test_the_order_of_fields_can_be_changed(client: httpx.Client, type_id: str) -> None:
    first, second, third = (add(client, type_id, name).json()["id"] for name in ("A", "B", "C"))
    path = f"custom_field_schema/custom_object/{type_id}/"
    assert [entry["id"] for entry in client.get(path).json()["fields"]] == [first, second, third]
    ordered = client.put(path, json={"fields": [{"id": third}]}).json()
    assert [entry["id"] for entry in ordered["fields"]] == [third, first, second]
    assert (ordered["name"], ordered["object_type"]) == ("Invoice", "custom_object")
    assert client.get(path).json() == ordered
    for bad in ({}, {"fields": [third]}, {"fields": [{"id": "cf_none"}]}):
        assert client.put(path, json=bad).status_code == 400


def test_a_shared_field_is_associated(client: httpx.Client, type_id: str) -> None:
    created = client.post("custom_field/shared/", json={"name": "Region", "type": "text"})
    shared = created.json()
    assert (created.status_code, shared["associations"], shared["is_shared"]) == (200, [], True)
    path = f"custom_field/shared/{shared['id']}/association/"
    body = {"object_type": "custom_object_type", "custom_object_type_id": type_id, "required": True}
    associated = client.post(path, json=body)
    assert (associated.status_code, associated.json()) == (201, {"editable_with_roles": [], **body})
    assert client.post(path, json=body).status_code == 400
    [nested] = client.get(f"custom_object_type/{type_id}/").json()["fields"]
    assert (nested["id"], nested["is_shared"], nested["required"]) == (shared["id"], True, True)
    address = f"{path}custom_object_type/{type_id}/"
    assert client.put(address, json={"required": False}).json()["required"] is False
    assert client.get(address).json()["required"] is False
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get(f"custom_object_type/{type_id}/").json()["fields"] == []


def test_an_association_exists_for_its_type_only(client: httpx.Client, type_id: str) -> None:
    shared = client.post("custom_field/shared/", json={"name": "Region", "type": "text"}).json()["id"]
    path = f"custom_field/shared/{shared}/association/"
    assert client.post(path, json={"object_type": "lead"}).status_code == 201
    assert client.get(f"{path}lead/").json()["object_type"] == "lead"
    assert client.get(f"{path}custom_object_type%2F{type_id}/").status_code == 404
    assert client.post(path, json={"object_type": "custom_object_type"}).status_code == 400


def test_shared_fields_are_paged_changed_and_deleted(client: httpx.Client) -> None:
    made = [client.post("custom_field/shared/", json={"name": name, "type": "text"}).json() for name in "ABC"]
    page = client.get("custom_field/shared/?_skip=1&_limit=1").json()
    assert page == {"data": [made[1]], "has_more": True}
    path = f"custom_field/shared/{made[0]['id']}/"
    assert client.put(path, json={"name": "D"}).json()["name"] == "D"
    assert client.put(path, json={"type": "number"}).status_code == 400
    assert (client.delete(path).status_code, client.get(path).status_code) == (200, 404)


def test_the_state_holds_fields(close: ControlClient, client: httpx.Client, type_id: str) -> None:
    made = add(client, type_id).json()
    assert [entry["id"] for entry in close.state("orga_acme")["fields"]] == [made["id"]]


def test_lists_lag_for_fields_shared_fields_and_associations(
    close: ControlClient, client: httpx.Client, type_id: str
) -> None:
    close.set_options(list_lag_seconds=60)
    made = add(client, type_id).json()
    shared = client.post("custom_field/shared/", json={"name": "Region", "type": "text"}).json()
    body = {"object_type": "custom_object_type", "custom_object_type_id": type_id}
    client.post(f"custom_field/shared/{shared['id']}/association/", json=body)

    assert client.get(FIELDS).json()["data"] == []
    assert client.get("custom_field/shared/").json()["data"] == []
    assert [each["fields"] for each in client.get("custom_object_type/").json()["data"]] == [[]]
    nested = client.get(f"custom_object_type/{type_id}/").json()["fields"]
    assert {each["id"] for each in nested} == {made["id"], shared["id"]}


def test_a_type_is_seeded_with_its_fields(close: ControlClient, client: httpx.Client) -> None:
    seeded = close.add_type("orga_acme", name="Device", fields=[{"name": "Serial", "type": "text", "required": True}])

    assert [(each["name"], each["required"]) for each in seeded["fields"]] == [("Serial", True)]
    assert [each["custom_object_type_id"] for each in client.get(FIELDS).json()["data"]] == [seeded["id"]]


def test_an_organization_has_roles_of_its_own(close: ControlClient, client: httpx.Client) -> None:
    close.change_organization("orga_acme", roles={"role_1": "Sales Manager"})

    roles = {each["id"]: (each["name"], each["editable"]) for each in client.get("role/").json()["data"]}
    assert roles["role_1"] == ("Sales Manager", True)
    assert roles["admin"] == ("Admin", False)
