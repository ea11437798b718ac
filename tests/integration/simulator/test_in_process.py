"""The simulated Close inside a process: its clock, its faults and its control calls."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from infra.simulator import ControlError
from infra.simulator.embedded import InProcessClose
from tests.fakes import START, Clock

KEY = "api_acme.0123456789"
INVOICE = {"name": "Invoice", "name_plural": "Invoices"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def close(clock: Clock) -> InProcessClose:
    """Return a simulated Close with the organization ``orga_acme``."""
    close = InProcessClose(clock=clock, sleep=clock.advance)
    close.add_organization(id="orga_acme", name="Acme", keys=[KEY])
    return close


@pytest.fixture
def client(close: InProcessClose) -> Iterator[httpx.Client]:
    with close.client(KEY, timeout=20) as client:
        yield client


def listed(client: httpx.Client) -> list[str]:
    return [each["name"] for each in client.get("custom_object_type/").json()["data"]]


def test_a_created_type_has_the_date_of_the_clock_and_is_listed(client: httpx.Client) -> None:
    created = client.post("custom_object_type/", json=INVOICE)

    assert (created.status_code, created.reason_phrase) == (201, "Created")
    assert created.json()["date_created"] == "2027-01-15T08:00:00.000000"
    assert created.headers["location"] == f"https://close.example/api/v1/custom_object_type/{created.json()['id']}/"
    assert listed(client) == ["Invoice"]


def test_list_lag_follows_the_clock(close: InProcessClose, client: httpx.Client, clock: Clock) -> None:
    close.change_organization("orga_acme", options={"list_lag_seconds": 60})
    client.post("custom_object_type/", json=INVOICE)

    clock.advance(59.9)
    assert listed(client) == []
    clock.advance(0.1)
    assert listed(client) == ["Invoice"]


def test_rate_limit_windows_follow_the_clock(close: InProcessClose, client: httpx.Client, clock: Clock) -> None:
    close.change_organization("orga_acme", rate_limit={"requests": 1, "window_seconds": 8})
    client.get("custom_object_type/")

    refused = client.get("custom_object_type/")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "8")
    clock.advance(8)
    assert client.get("custom_object_type/").status_code == 200


@pytest.mark.parametrize(
    ("fault", "parameters", "error"),
    [
        ("create_then_hang_up", {}, httpx.ReadError),
        ("create_then_hang_up", {"how": "close"}, httpx.RemoteProtocolError),
        ("create_then_cut_short", {}, httpx.RemoteProtocolError),
        ("create_then_never_answer", {}, httpx.ReadTimeout),
    ],
)
def test_a_lost_response_is_an_error_of_httpx_and_the_type_exists(
    close: InProcessClose, client: httpx.Client, fault: str, parameters: dict[str, Any], error: type[Exception]
) -> None:
    close.arm(fault, **parameters)

    with pytest.raises(error):
        client.post("custom_object_type/", json=INVOICE)

    assert listed(client) == ["Invoice"]
    assert close.fired() == {fault: 1}


def test_a_response_after_the_timeout_takes_the_timeout_and_the_work_is_done_later(
    close: InProcessClose, client: httpx.Client, clock: Clock
) -> None:
    close.arm("slow", seconds=30)

    with pytest.raises(httpx.ReadTimeout):
        client.post("custom_object_type/", json=INVOICE)

    assert clock.now == START + 20
    assert close.types("orga_acme") == []
    clock.advance(100)
    assert [each["date_created"] for each in close.types("orga_acme")] == ["2027-01-15T08:00:30.000000"]


def test_a_slow_response_moves_the_clock(close: InProcessClose, client: httpx.Client, clock: Clock) -> None:
    close.arm("slow", seconds=5)

    assert client.post("custom_object_type/", json=INVOICE).status_code == 201
    assert clock.now == START + 5


def test_a_late_create_happens_at_its_time(close: InProcessClose, client: httpx.Client, clock: Clock) -> None:
    close.arm("late_create", seconds=3)

    assert client.post("custom_object_type/", json=INVOICE).status_code == 408
    assert (listed(client), close.faults()["pending"]) == ([], 1)
    clock.advance(3)
    assert (listed(client), close.faults()["pending"]) == (["Invoice"], 0)


def test_no_time_passes_without_a_sleep(clock: Clock) -> None:
    close = InProcessClose({"organizations": [{"keys": [KEY], "options": {"latency_seconds": 9}}]}, clock=clock)

    with close.client(KEY, timeout=10) as client:
        assert client.get("me/").status_code == 200
    assert clock.now == START


def test_control_calls_store_types_fields_and_associations(close: InProcessClose, client: httpx.Client) -> None:
    close.set_options(list_lag_seconds=60)
    invoice = close.add_type("orga_acme", "Invoice", list_lag_seconds=0)
    amount = close.add_field("orga_acme", invoice["id"], "Amount", "number", list_lag_seconds=0)
    tier = close.add_field("orga_acme", None, "Tier", "choices", choices=["gold"], list_lag_seconds=0)
    close.add_association("orga_acme", tier["id"], invoice["id"], required=True)

    assert [each["name"] for each in client.get("custom_object_type/").json()["data"][0]["fields"]] == ["Amount"]
    assert [each["id"] for each in close.types("orga_acme")[0]["fields"]] == [amount["id"], tier["id"]]
    assert client.get("custom_field/shared/").json()["data"][0]["associations"] == [
        {
            "object_type": "custom_object_type",
            "custom_object_type_id": invoice["id"],
            "editable_with_roles": [],
            "required": True,
        }
    ]


def test_input_that_close_would_reject_is_a_control_error(close: InProcessClose) -> None:
    invoice = close.add_type("orga_acme", "Invoice")

    refused: list[Callable[[], object]] = [
        lambda: close.add_field("orga_acme", "cotype_unknown", "Amount"),
        lambda: close.add_field("orga_acme", None, "Tier", "choices"),
        lambda: close.add_association("orga_acme", "cf_unknown", invoice["id"]),
        lambda: close.call("POST", "nowhere/"),
    ]
    for store in refused:
        with pytest.raises(ControlError):
            store()


def test_the_control_api_is_behind_the_transport_too(close: InProcessClose, client: httpx.Client) -> None:
    assert client.get(f"{close.url}/_control/organizations/").json()["data"][0]["id"] == "orga_acme"


def test_an_asynchronous_client_gets_responses(close: InProcessClose) -> None:
    async def create() -> int:
        async with httpx.AsyncClient(transport=close.transport, base_url=close.api_url, auth=(KEY, "")) as client:
            return (await client.post("custom_object_type/", json=INVOICE)).status_code

    assert asyncio.run(create()) == 201
