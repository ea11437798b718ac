"""Custom Object Types as Close documents them."""

import re
import threading
from collections.abc import Callable

import httpx

from infra.simulator import ControlClient

INVOICE = {"name": "Invoice", "name_plural": "Invoices"}


def create(client: httpx.Client, **body: object) -> httpx.Response:
    return client.post("custom_object_type/", json={**INVOICE, **body})


def test_a_type_is_created_as_documented(client: httpx.Client) -> None:
    response = create(client, description="Open invoices", api_create_only=True, editable_with_roles=["admin"])
    made = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"{client.base_url}custom_object_type/{made['id']}/"
    assert re.fullmatch(r"cotype_[A-Za-z0-9]{22}", made["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", made["date_created"])
    assert re.fullmatch(r"user_[A-Za-z0-9]{43}", made["created_by"])
    assert {key: made[key] for key in ("name", "name_plural", "description", "api_create_only")} == {
        "name": "Invoice",
        "name_plural": "Invoices",
        "description": "Open invoices",
        "api_create_only": True,
    }
    assert (made["organization_id"], made["editable_with_roles"]) == ("orga_acme", ["admin"])
    assert (made["fields"], made["back_reference_fields"]) == ([], [])
    assert "is_archived" not in made


def test_a_type_is_listed_read_changed_and_deleted(client: httpx.Client) -> None:
    made = create(client).json()
    path = f"custom_object_type/{made['id']}/"
    assert client.get("custom_object_type/").json() == {"data": [made]}
    changed = client.put(path, json={"description": "New", "is_archived": True}).json()
    assert (changed["name"], changed["description"], changed["is_archived"]) == ("Invoice", "New", True)
    assert changed["date_updated"] > made["date_updated"]
    assert client.get(path).json() == changed
    deleted = client.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "error" in client.get(path).json()
    assert [client.get(path).status_code, client.delete(path).status_code] == [404, 404]
    assert client.get("custom_object_type/").json() == {"data": []}


def test_a_duplicate_name_is_accepted_and_counted(close: ControlClient, client: httpx.Client) -> None:
    ids = {create(client).json()["id"], create(client, name=" INVOICE").json()["id"]}
    create(client, name="Contract")
    assert len(ids) == 2
    assert close.duplicates("orga_acme") == {"Invoice": 2}
    assert close.state("orga_acme")["creates"] == 3


def test_a_whole_object_as_read_is_accepted_by_another_organization(close: ControlClient, client: httpx.Client) -> None:
    made = create(client).json()
    other = close.add_organization(id="orga_other")
    auth = (other["keys"][0], "")
    foreign = client.post("custom_object_type/", json=made, auth=auth)
    assert (foreign.status_code, [*foreign.json()["field-errors"]]) == (400, ["organization_id"])
    del made["organization_id"]
    copied = client.post("custom_object_type/", json=made, auth=auth)
    assert copied.status_code == 201
    assert copied.json()["id"] != made["id"]
    assert copied.json()["organization_id"] == "orga_other"


def test_organizations_do_not_see_each_other(close: ControlClient, client: httpx.Client) -> None:
    made = create(client).json()
    auth = (close.add_organization()["keys"][0], "")
    assert client.get("custom_object_type/", auth=auth).json() == {"data": []}
    assert client.get(f"custom_object_type/{made['id']}/", auth=auth).status_code == 404


def test_every_mistake_in_a_body_is_reported(client: httpx.Client) -> None:
    response = client.post("custom_object_type/", json={"name": 1, "api_create_only": "no", "description": None})
    assert response.status_code == 400
    assert response.json() == {
        "errors": [],
        "field-errors": {
            "name": "Input should be a valid string",
            "name_plural": "Field required",
            "api_create_only": "Input should be a valid boolean",
        },
    }


def test_bodies_other_than_json_objects_are_rejected(client: httpx.Client) -> None:
    json_header = {"Content-Type": "application/json"}
    bad = [b"", b"[]", b"{", b'{"name": NaN, "name_plural": "x"}', b'"name"', b"\xff"]
    answers = [client.post("custom_object_type/", content=body, headers=json_header) for body in bad]
    answers.append(client.post("custom_object_type/", data={"name": "x"}))
    answers.append(client.post("custom_object_type/", content=iter([b'{"name": "x", "name_plural": "x"}'])))
    assert {answer.status_code for answer in answers} == {400}
    assert all(isinstance(answer.json()["error"], str) for answer in answers)
    assert client.get("custom_object_type/").json() == {"data": []}


def test_only_the_requested_fields_are_returned(client: httpx.Client) -> None:
    made = create(client).json()
    assert client.get("custom_object_type/?_fields=id,name").json() == {"data": [{"id": made["id"], "name": "Invoice"}]}
    assert client.get(f"custom_object_type/{made['id']}/?_fields=name,unheard").json() == {"name": "Invoice"}


def test_an_unknown_path_gets_501_with_the_known_ones(client: httpx.Client) -> None:
    response = client.get("lead/")
    assert response.status_code == 501
    assert "POST /api/v1/custom_object_type/" in response.json()["known"]
    assert client.patch("custom_object_type/", json={}).status_code == 405
    assert client.patch("custom_object_type/", json={}).headers["Allow"] == "GET, POST"


def test_a_hundred_threads_lose_no_create(close: ControlClient, new_client: Callable[[str], httpx.Client]) -> None:
    """Create types in parallel: each exists, with its own id."""
    ids: list[str] = []
    ready = threading.Barrier(100)

    def work(number: int) -> None:
        with new_client("api_acme.0123456789") as own:
            ready.wait()
            ids.extend(create(own, name=f"Type {number}-{turn}").json()["id"] for turn in range(3))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 300
    state = close.state("orga_acme")
    assert ({entry["id"] for entry in state["types"]}, state["duplicates"]) == (set(ids), {})
