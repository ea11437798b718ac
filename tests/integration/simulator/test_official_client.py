"""Close's own Python client (PyPI ``closeio`` 2.1) against the simulated Close, and the duplicates of its retries.

Its pauses between attempts (2 s and more) are patched away: they are recorded instead of slept.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import closeio_api
import pytest
import requests

from infra.simulator import ControlClient

KEY = "api_acme.0123456789"
INVOICE = {"name": "Invoice", "name_plural": "Invoices"}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that the official client would have slept."""
    slept: list[float] = []
    monkeypatch.setattr(closeio_api, "time", SimpleNamespace(sleep=slept.append))
    return slept


@pytest.fixture
def api(close: ControlClient, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[closeio_api.API]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    api = closeio_api.API(close.api_url, KEY)
    yield api
    api.session.close()


def names(close: ControlClient) -> list[str]:
    return [entry["name"] for entry in close.types("orga_acme")]


def test_types_are_managed_by_the_official_client(api: closeio_api.API) -> None:
    made = api.post("custom_object_type", data=INVOICE)
    path = f"custom_object_type/{made['id']}"
    assert api.get("custom_object_type") == {"data": [made]}
    assert api.put(path, data={"description": "New"})["description"] == "New"
    assert api.get(path, params={"_fields": "name"}) == {"name": "Invoice"}
    assert api.delete(path) == ""
    assert api.get("custom_object_type") == {"data": []}


def test_fields_and_their_order_are_managed_by_the_official_client(api: closeio_api.API) -> None:
    type_id = api.post("custom_object_type", data=INVOICE)["id"]
    of_type = {"custom_object_type_id": type_id}
    amount = api.post("custom_field/custom_object_type", data={**of_type, "name": "Amount", "type": "number"})
    due = api.post("custom_field/custom_object_type", data={**of_type, "name": "Due", "type": "date"})
    assert [field["id"] for field in api.get("custom_field/custom_object_type")["data"]] == [amount["id"], due["id"]]
    renamed = api.put(f"custom_field/custom_object_type/{due['id']}", data={"name": "Due on"})
    assert renamed["name"] == "Due on"
    schema = api.put(f"custom_field_schema/custom_object/{type_id}", data={"fields": [{"id": due["id"]}]})
    assert [field["name"] for field in schema["fields"]] == ["Due on", "Amount"]
    assert [field["name"] for field in api.get(f"custom_object_type/{type_id}")["fields"]] == ["Due on", "Amount"]
    assert api.delete(f"custom_field/custom_object_type/{amount['id']}") == ""
    assert [field["name"] for field in api.get(f"custom_object_type/{type_id}")["fields"]] == ["Due on"]


def test_an_organization_is_copied_by_closes_own_script(close: ControlClient, api: closeio_api.API) -> None:
    """Send whole objects as read, without ``organization_id``, and map their new ids."""
    source = api.post("custom_object_type", data=INVOICE)
    field = {"custom_object_type_id": source["id"], "name": "State", "type": "choices", "choices": ["open", "paid"]}
    api.post("custom_field/custom_object_type", data=field)
    target = close.add_organization(id="orga_target")["keys"][0]
    for entry in api.get("custom_object_type")["data"]:
        del entry["organization_id"]
        copied = api.post("custom_object_type", data=entry, api_key=target)
        for own in api.get("custom_field/custom_object_type")["data"]:
            del own["organization_id"]
            api.post(
                "custom_field/custom_object_type", data={**own, "custom_object_type_id": copied["id"]}, api_key=target
            )
    [type_there] = close.types("orga_target")
    assert (type_there["name"], [entry["choices"] for entry in type_there["fields"]]) == ("Invoice", [["open", "paid"]])


def test_a_mistake_raises_validation_error_with_its_fields(api: closeio_api.API) -> None:
    with pytest.raises(closeio_api.ValidationError) as raised:
        api.post("custom_object_type", data={"name": "Invoice"})
    assert (raised.value.errors, raised.value.field_errors) == ([], {"name_plural": "Field required"})


def test_a_duplicate_raises_validation_error_when_names_are_unique(close: ControlClient, api: closeio_api.API) -> None:
    close.set_options(duplicate_names="errors")
    api.post("custom_object_type", data=INVOICE)
    with pytest.raises(closeio_api.ValidationError) as raised:
        api.post("custom_object_type", data=INVOICE)
    assert raised.value.errors == ["name: This name is already in use."]


@pytest.mark.parametrize("status", [401, 402, 403, 404, 500, 501])
def test_other_rejections_raise_api_error(close: ControlClient, api: closeio_api.API, status: int) -> None:
    endpoint = {404: "custom_object_type/cotype_none", 501: "lead"}.get(status, "custom_object_type")
    if status in {401, 402, 403, 500}:
        close.arm({500: "500_before"}.get(status, str(status)), aim={"method": "GET"})
    with pytest.raises(closeio_api.APIError) as raised:
        api.get(endpoint)
    assert (type(raised.value), raised.value.response.status_code) == (closeio_api.APIError, status)


@pytest.mark.parametrize(
    ("spelling", "pause"),
    [
        ({"header": "commas"}, 3.0),
        ({"header": "commas_decimal"}, 2.0),  # it reads whole seconds only: half a second too early
        ({"header": "semicolons"}, 3.0),  # it cannot read these and takes Retry-After
        ({"header": "separate", "retry_after": "absent"}, 3.0),
        ({"header": "absent", "retry_after": "absent"}, 2.0),  # its default
    ],
)
def test_the_official_client_waits_out_a_429(
    close: ControlClient, api: closeio_api.API, pauses: list[float], spelling: dict[str, Any], pause: float
) -> None:
    close.arm("429", times=2, reset=2.5, **spelling)
    assert api.post("custom_object_type", data=INVOICE)["name"] == "Invoice"
    assert (pauses, names(close), close.fired()) == ([pause, pause], ["Invoice"], {"429": 2})


def test_one_lost_response_makes_two_types(close: ControlClient, api: closeio_api.API, pauses: list[float]) -> None:
    """Show the reason for this project: the client sends the create again, and Close cannot recognize it."""
    close.arm("create_then_hang_up")
    made = api.post("custom_object_type", data=INVOICE)
    assert names(close) == ["Invoice", "Invoice"]
    assert made["id"] == close.types("orga_acme")[1]["id"], "the first one is nobody's"
    assert (pauses, close.fired()) == ([2], {"create_then_hang_up": 1})


def test_five_lost_responses_make_five_types_and_an_error(
    close: ControlClient, api: closeio_api.API, pauses: list[float]
) -> None:
    close.arm("create_then_hang_up", times=None)
    with pytest.raises(requests.exceptions.ConnectionError):
        api.post("custom_object_type", data=INVOICE)
    assert close.duplicates("orga_acme") == {"Invoice": 5}
    assert (pauses, close.fired()) == ([2, 2, 2, 2], {"create_then_hang_up": 5})


def test_five_503_after_the_create_make_five_types_too(close: ControlClient, api: closeio_api.API) -> None:
    close.arm("create_then_503", times=None)
    with pytest.raises(closeio_api.APIError):
        api.post("custom_object_type", data=INVOICE)
    assert close.duplicates("orga_acme") == {"Invoice": 5}
