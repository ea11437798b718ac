"""Each option, which answers a question that Close's documentation leaves open."""

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.simulator import ControlClient, ControlError, Options

KEY = "api_acme.0123456789"
TYPES = "custom_object_type/"


def create(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post(TYPES, json={"name": "Invoice", "name_plural": "Invoices", **body})


def add_field(client: httpx.Client, type_id: str, **body: Any) -> httpx.Response:
    field = {"custom_object_type_id": type_id, "name": "Amount", "type": "number", **body}
    return client.post("custom_field/custom_object_type/", json=field)


# --- success


def test_create_status(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(create_status=200)
    assert create(client).status_code == 200


@pytest.mark.parametrize(
    ("value", "expected"), [("absolute", "{url}/api/v1/{path}"), ("relative", "/api/v1/{path}"), ("absent", "")]
)
def test_location(close: ControlClient, client: httpx.Client, value: str, expected: str) -> None:
    close.set_options(location=value)
    response = create(client)
    path = f"{TYPES}{response.json()['id']}/"
    assert response.headers.get("Location", "") == expected.format(url=close.url, path=path)


@pytest.mark.parametrize(
    ("value", "expected"), [("204", (204, b"")), ("200_object", (200, b"{}")), ("200_empty", (200, b""))]
)
def test_delete_answer(close: ControlClient, client: httpx.Client, value: str, expected: tuple[int, bytes]) -> None:
    close.set_options(delete_answer=value, field_delete_answer=value)
    type_id = create(client).json()["id"]
    field_id = add_field(client, type_id).json()["id"]
    for path in (f"custom_field/custom_object_type/{field_id}/", f"{TYPES}{type_id}/"):
        response = client.delete(path)
        assert (response.status_code, response.content) == expected
        assert client.delete(path).status_code == 404


@pytest.mark.parametrize(
    ("value", "beside"), [("data", {}), ("has_more", {"has_more": False}), ("cursor", {"cursor": None})]
)
def test_list_envelope(close: ControlClient, client: httpx.Client, value: str, beside: dict[str, object]) -> None:
    close.set_options(list_envelope=value)
    assert client.get(TYPES).json() == {"data": [], **beside}


def test_list_order(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(list_order="newest_first")
    ids = [create(client).json()["id"] for _ in range(3)]
    assert [entry["id"] for entry in client.get(TYPES).json()["data"]] == ids[::-1]


def test_archived_listed(close: ControlClient, client: httpx.Client) -> None:
    made = create(client).json()
    client.put(f"{TYPES}{made['id']}/", json={"is_archived": True})
    assert len(client.get(TYPES).json()["data"]) == 1
    close.set_options(archived_listed=False)
    assert client.get(TYPES).json()["data"] == []
    assert client.get(f"{TYPES}{made['id']}/").status_code == 200
    client.put(f"{TYPES}{made['id']}/", json={"is_archived": False})
    assert client.get(TYPES).json()["data"] == [made | {"date_updated": close.types("orga_acme")[0]["date_updated"]}]


@pytest.mark.parametrize(
    ("value", "expected"), [("when_archived", [None, True]), ("always", [False, True]), ("never", [None, None])]
)
def test_is_archived_shown(close: ControlClient, client: httpx.Client, value: str, expected: list[bool | None]) -> None:
    close.set_options(is_archived_shown=value)
    made = create(client).json()
    archived = client.put(f"{TYPES}{made['id']}/", json={"is_archived": True}).json()
    assert [made.get("is_archived"), archived.get("is_archived")] == expected


def test_description_when_omitted(close: ControlClient, client: httpx.Client) -> None:
    assert create(client).json()["description"] is None
    close.set_options(description_when_omitted="empty")
    assert create(client).json()["description"] == ""


def test_roles_when_omitted(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(roles_when_omitted="null")
    made = create(client).json()
    assert made["editable_with_roles"] is None
    assert add_field(client, made["id"]).json()["editable_with_roles"] is None


def test_nested_fields(close: ControlClient, client: httpx.Client) -> None:
    type_id = create(client).json()["id"]
    add_field(client, type_id, type="choices", choices=["a"])
    [full] = client.get(f"{TYPES}{type_id}/").json()["fields"]
    assert (full["choices"], full["is_shared"], full["referenced_custom_type_id"]) == (["a"], False, None)
    close.set_options(nested_fields="bare")
    [bare] = client.get(f"{TYPES}{type_id}/").json()["fields"]
    assert full.keys() - bare.keys() == {
        "choices",
        "is_shared",
        "referenced_custom_type_id",
        "back_reference_is_visible",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("naive", "2020-08-07T15:18:33.797245"),
        ("offset", "2020-08-07T15:18:33.797245+00:00"),
        ("naive_seconds", "2020-08-07T15:18:33"),
        ("offset_seconds", "2020-08-07T15:18:33+00:00"),
    ],
)
def test_dates(close: ControlClient, client: httpx.Client, value: str, expected: str) -> None:
    close.add_type("orga_acme", "Invoice", date_created="2020-08-07T15:18:33.797245")
    close.set_options(dates=value)
    assert client.get(TYPES).json()["data"][0]["date_created"] == expected


def test_date_updated_changes(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(date_updated_changes=False)
    made = create(client).json()
    changed = client.put(f"{TYPES}{made['id']}/", json={"description": "New"}).json()
    assert changed == {**made, "description": "New"}


# --- names and bodies


@pytest.mark.parametrize("key", ["name", "name_plural"])
@pytest.mark.parametrize("rule", ["field_errors", "errors"])
def test_duplicate_names(close: ControlClient, client: httpx.Client, key: str, rule: str) -> None:
    close.set_options(**{{"name": "duplicate_names", "name_plural": "duplicate_plural_names"}[key]: rule})
    other = {"name": "Other", "name_plural": "Others"}
    first = create(client).json()
    refused = create(client, **{**other, key: first[key].upper()})
    assert refused.status_code == 400
    assert (key in refused.json()["field-errors"], bool(refused.json()["errors"])) == (
        rule == "field_errors",
        rule == "errors",
    )
    assert client.put(f"{TYPES}{first['id']}/", json={key: first[key]}).status_code == 200, "its own name"
    second = create(client, **other).json()
    assert client.put(f"{TYPES}{second['id']}/", json={key: first[key]}).status_code == 400
    client.delete(f"{TYPES}{first['id']}/")
    assert client.put(f"{TYPES}{second['id']}/", json={key: first[key]}).status_code == 200, "the name is free again"


def test_duplicate_field_names(close: ControlClient, client: httpx.Client) -> None:
    first, second = (create(client).json()["id"] for _ in range(2))
    close.set_options(duplicate_field_names="field_errors")
    assert [add_field(client, type_id).status_code for type_id in (first, first, second)] == [201, 400, 201]


def test_names_compared(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(duplicate_names="errors", names_compared="exact")
    names = ("Invoice", "invoice", "Invoice ", "Invoice")
    assert [create(client, name=name).status_code for name in names] == [201, 201, 201, 400]


@pytest.mark.parametrize(("value", "name"), [(True, "Invoice"), (False, " Invoice ")])
def test_names_trimmed(close: ControlClient, client: httpx.Client, value: bool, name: str) -> None:
    close.set_options(names_trimmed=value)
    assert create(client, name=" Invoice ").json()["name"] == name


def test_blank_names(close: ControlClient, client: httpx.Client) -> None:
    assert create(client, name=" ").status_code == 400
    close.set_options(blank_names="accepted")
    assert create(client, name="").status_code == 201


def test_name_max_length(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(name_max_length=7)
    assert [create(client, name=name, name_plural="x").status_code for name in ("Invoice", "Invoices")] == [201, 400]


def test_unknown_keys(close: ControlClient, client: httpx.Client) -> None:
    assert create(client, color="red").status_code == 201
    close.set_options(unknown_keys="refused")
    refused = create(client, color="red")
    assert (refused.status_code, [*refused.json()["field-errors"]]) == (400, ["color"])
    assert create(client, id="cotype_x", fields=[], date_created="x").status_code == 201, "as read"


@pytest.mark.parametrize(("value", "expected"), [("accepted", ["admin", "role_none"]), ("dropped", ["admin"])])
def test_unknown_roles(close: ControlClient, client: httpx.Client, value: str, expected: list[str]) -> None:
    close.set_options(unknown_roles=value)
    assert create(client, editable_with_roles=["admin", "role_none"]).json()["editable_with_roles"] == expected
    close.set_options(unknown_roles="refused")
    assert create(client, editable_with_roles=["admin"]).status_code == 201
    assert create(client, editable_with_roles=["role_none"]).status_code == 400


def test_delete_of_referenced_type(close: ControlClient, client: httpx.Client) -> None:
    invoice, customer = (create(client).json()["id"] for _ in range(2))
    add_field(client, invoice, type="custom_object", referenced_custom_type_id=customer)
    close.set_options(delete_of_referenced_type="refused")
    assert client.delete(f"{TYPES}{customer}/").status_code == 400
    assert client.delete(f"{TYPES}{invoice}/").status_code == 204
    assert client.delete(f"{TYPES}{customer}/").status_code == 204


# --- rejections


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("field_errors", {"errors": [], "field-errors": {"name_plural": "Field required"}}),
        ("field_errors_only", {"field-errors": {"name_plural": "Field required"}}),
        ("errors", {"errors": ["name_plural: Field required"], "field-errors": {}}),
        ("error", {"error": "name_plural: Field required"}),
    ],
)
def test_validation_body(close: ControlClient, client: httpx.Client, value: str, expected: dict[str, object]) -> None:
    close.set_options(validation_body=value)
    response = client.post(TYPES, json={"name": "Invoice"})
    assert (response.status_code, response.json()) == (400, expected)


def test_validation_body_may_be_html(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(validation_body="text")
    response = client.post(TYPES, json={})
    assert (response.status_code, response.headers["Content-Type"][:9]) == (400, "text/html")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("string", "This field is required."),
        ("list", ["This field is required."]),
        ("nested", {"errors": ["This field is required."]}),
    ],
)
def test_validation_dialect_and_values(
    close: ControlClient, client: httpx.Client, value: str, expected: object
) -> None:
    close.set_options(validation_dialect="cleancat", validation_values=value)
    assert client.post(TYPES, json={"name": "Invoice"}).json()["field-errors"] == {"name_plural": expected}


def test_wrong_content_type(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(wrong_content_type=415)
    assert client.post(TYPES, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.post(TYPES, content=b"[]", headers={"Content-Type": "application/json"}).status_code == 400


@pytest.mark.parametrize(("value", "status"), [("301", 301), ("308", 308), ("404", 404), ("served", 201)])
def test_slashless(close: ControlClient, client: httpx.Client, value: str, status: int) -> None:
    close.set_options(slashless=value)
    response = client.post("custom_object_type", json={"name": "Invoice", "name_plural": "Invoices"})
    assert response.status_code == status
    if status in {301, 308}:
        assert response.headers["Location"] == f"{close.api_url}{TYPES}"
    assert len(close.types("orga_acme")) == (status == 201)


def test_permission_failure(close: ControlClient, client: httpx.Client) -> None:
    close.change_organization("orga_acme", may_customize=False)
    assert "error" in create(client).json()
    close.set_options(permission_body="text")
    assert create(client).text == "Forbidden"
    close.set_options(permission_failure=401)
    assert (create(client).status_code, create(client).json()) == (401, {"error": "Unauthorized"})
    assert client.get(TYPES).status_code == 200


@pytest.mark.parametrize("status", [402, 403, 404])
def test_plan_failure(close: ControlClient, client: httpx.Client, status: int) -> None:
    close.change_organization("orga_acme", has_custom_objects=False, options={"plan_failure": status})
    assert (create(client).status_code, client.get(TYPES).status_code) == (status, 200)
    close.set_options(plan_failure_on="everything")
    assert (client.get(TYPES).status_code, client.get("me/").status_code) == (status, 200)


@pytest.mark.parametrize("status", [402, 400, 403])
def test_type_limit_failure(close: ControlClient, client: httpx.Client, status: int) -> None:
    close.change_organization("orga_acme", max_types=0, options={"type_limit_failure": status})
    assert create(client).status_code == status


@pytest.mark.parametrize("status", [404, 403])
def test_foreign_id(close: ControlClient, client: httpx.Client, status: int) -> None:
    close.add_organization(id="orga_other")
    foreign = close.add_type("orga_other", "Theirs")["id"]
    close.set_options(foreign_id=status)
    assert client.get(f"{TYPES}{foreign}/").status_code == status
    assert client.get(f"{TYPES}cotype_none/").status_code == 404


def test_www_authenticate(close: ControlClient, client: httpx.Client) -> None:
    assert "WWW-Authenticate" not in client.get("me/", auth=("x", "")).headers
    close.set_options(www_authenticate=True)
    assert client.get("me/", auth=("x", "")).headers["WWW-Authenticate"].startswith("Basic")


# --- rate limits


def test_rate_limit_header_and_the_429_of_a_spent_window(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(rate_limit_header="semicolons", retry_after="absent", too_many_body="empty")
    key = close.add_key("orga_acme", rate_limit={"requests": 1, "window_seconds": 8})
    first, second = (client.get("me/", auth=(key, "")) for _ in range(2))
    assert first.headers["RateLimit"] == "limit=1; remaining=0; reset=8"
    assert (second.status_code, second.content, "Retry-After" in second.headers) == (429, b"", False)
    close.set_options(rate_limit_header="absent")
    assert "RateLimit" not in client.get("me/").headers


# --- time


def test_get_lag_seconds(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(get_lag_seconds=1)
    made = create(client).json()
    assert client.get(f"{TYPES}{made['id']}/").status_code == 404
    time.sleep(1.05)
    assert client.get(f"{TYPES}{made['id']}/").status_code == 200


def test_delete_lag_seconds(close: ControlClient, client: httpx.Client) -> None:
    """Follow the behavior measured for leads: GET and list lag, and a second DELETE returns 404."""
    close.set_options(delete_lag_seconds=1)
    made = create(client).json()
    path = f"{TYPES}{made['id']}/"
    assert client.delete(path).status_code == 204
    assert (client.get(path).status_code, len(client.get(TYPES).json()["data"])) == (200, 1)
    assert client.delete(path).status_code == 404
    assert close.types("orga_acme") == [], "the control knows better"
    time.sleep(1.05)
    assert (client.get(path).status_code, client.get(TYPES).json()["data"]) == (404, [])


def test_latency_seconds(close: ControlClient, client: httpx.Client) -> None:
    close.set_options(latency_seconds=0.2)
    began = time.monotonic()
    client.get("me/")
    assert 0.2 <= time.monotonic() - began < 2


# --- the options themselves


def test_an_organization_has_its_own_values(close: ControlClient, new_client: Callable[[str], httpx.Client]) -> None:
    close.add_organization(id="orga_strict", keys=["api_strict.123"], options={"create_status": 200})
    with new_client(KEY) as acme, new_client("api_strict.123") as strict:
        assert (create(acme).status_code, create(strict).status_code) == (201, 200)
        close.change_organization("orga_strict", options={"create_status": None, "location": "absent"})
        assert (create(strict).status_code, "Location" in create(strict).headers) == (201, False)


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"color": "red"}, "unknown option 'color'"),
        ({"create_status": 202}, "must be 201 | 200, not 202"),
        ({"archived_listed": 1}, "must be True | False, not 1"),
        ({"list_lag_seconds": True}, "must be a number, not True"),
        ({"name_max_length": 1.5}, "must be a whole number | None, not 1.5"),
    ],
)
def test_unknown_options_and_values_are_rejected(close: ControlClient, option: dict[str, object], error: str) -> None:
    for change in (close.set_options, lambda **new: close.change_organization("orga_acme", options=new)):
        with pytest.raises(ControlError) as rejection:
            change(**option)
        assert error in str(rejection.value)


@pytest.mark.parametrize("option", [field.name for field in fields(Options)])
def test_every_option_is_tested(option: str) -> None:
    """Find the name of the option in a test of this folder."""
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert f"{option}=" in tests or f'"{option}"' in tests
