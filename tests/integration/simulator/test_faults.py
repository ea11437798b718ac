"""Armed faults: each has its effect on the requests it is aimed at, and is counted."""

import threading
import time
from collections.abc import Callable

import httpx
import pytest

from infra.simulator import ControlClient, ControlError
from infra.simulator.faults.catalog import KINDS

KEY = "api_acme.0123456789"
INVOICE = {"name": "Invoice", "name_plural": "Invoices"}


def create(client: httpx.Client, name: str = "Invoice") -> httpx.Response:
    return client.post("custom_object_type/", json={"name": name, "name_plural": f"{name}s"})


def names(close: ControlClient) -> list[str]:
    return [entry["name"] for entry in close.types("orga_acme")]


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.parametrize("created", [True, False], ids=["after", "before"])
def test_an_error_status_comes_before_or_after_the_create(
    close: ControlClient, client: httpx.Client, status: int, created: bool
) -> None:
    name = f"create_then_{status}" if created else f"{status}_before"
    close.arm(name)
    assert create(client).status_code == status
    assert names(close) == (["Invoice"] if created else [])
    assert create(client).status_code == 201
    assert close.fired() == {name: 1}


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize(("name", "made"), [("create_then_hang_up", ["Invoice"]), ("hang_up_before", [])])
def test_a_connection_is_closed_without_a_response(
    close: ControlClient, client: httpx.Client, how: str, name: str, made: list[str]
) -> None:
    close.arm(name, how=how)
    with pytest.raises(httpx.ReadError if how == "reset" else httpx.RemoteProtocolError):
        create(client)
    assert (names(close), close.fired()) == (made, {name: 1})


@pytest.mark.parametrize(("name", "made"), [("create_then_never_answer", ["Invoice"]), ("never_answer", [])])
def test_a_response_never_comes(close: ControlClient, client: httpx.Client, name: str, made: list[str]) -> None:
    close.arm(name)
    with pytest.raises(httpx.ReadTimeout):
        client.post("custom_object_type/", json=INVOICE, timeout=0.2)
    assert (names(close), close.fired()) == (made, {name: 1})
    assert close.requests()[-1]["status"] is None


def test_a_held_connection_ends_after_its_time(close: ControlClient, client: httpx.Client) -> None:
    close.arm("never_answer", seconds=0.2)
    with pytest.raises(httpx.RemoteProtocolError):
        create(client)


def test_a_response_is_cut_short(close: ControlClient, client: httpx.Client) -> None:
    close.arm("create_then_cut_short")
    with pytest.raises(httpx.RemoteProtocolError):
        create(client)
    assert names(close) == ["Invoice"]


def test_a_create_happens_after_the_response(close: ControlClient, client: httpx.Client) -> None:
    close.arm("late_create", seconds=0.3)
    assert create(client).status_code == 408
    assert (names(close), close.faults()["pending"]) == ([], 1)
    close.wait_until_quiet()
    assert names(close) == ["Invoice"]
    assert [(entry["status"], entry["fault"]) for entry in close.requests()] == [
        (408, "late_create"),
        (201, "late_create (the create)"),
    ]


def test_a_slow_create_happens_also_without_the_client(close: ControlClient, client: httpx.Client) -> None:
    close.arm("slow", seconds=0.4)
    with pytest.raises(httpx.ReadTimeout):
        client.post("custom_object_type/", json=INVOICE, timeout=0.1)
    assert names(close) == []
    time.sleep(0.5)
    assert names(close) == ["Invoice"]


@pytest.mark.parametrize("order", ["fault", "option", "organization"])
def test_a_list_lags(close: ControlClient, client: httpx.Client, order: str) -> None:
    if order == "fault":
        close.arm("list_lag", list_lag_seconds=0.4)
    elif order == "option":
        close.set_options(list_lag_seconds=0.4)
    else:
        close.change_organization("orga_acme", options={"list_lag_seconds": 0.4})
    made = create(client).json()
    assert client.get("custom_object_type/").json() == {"data": []}
    assert client.get(f"custom_object_type/{made['id']}/").json() == made
    assert [(entry["name"], entry["listed"]) for entry in close.types("orga_acme")] == [("Invoice", False)]
    time.sleep(0.5)
    assert client.get("custom_object_type/").json() == {"data": [made]}


def test_a_lost_response_and_a_lagging_list_combine(close: ControlClient, client: httpx.Client) -> None:
    close.arm("create_then_500", list_lag_seconds=30)
    assert create(client).status_code == 500
    assert client.get("custom_object_type/").json() == {"data": []}
    assert names(close) == ["Invoice"]


def test_a_success_has_no_id(close: ControlClient, client: httpx.Client) -> None:
    close.arm("success_without_id")
    response = create(client)
    assert (response.status_code, response.json()["name"]) == (201, "Invoice")
    assert "id" not in response.json()
    assert "Location" not in response.headers
    assert names(close) == ["Invoice"]


def test_a_success_has_the_id_in_its_location_only(close: ControlClient, client: httpx.Client) -> None:
    close.arm("success_without_id", location=True)
    response = create(client)
    assert response.headers["Location"].endswith(f"/{close.types('orga_acme')[0]['id']}/")
    assert "id" not in response.json()


def test_a_failing_proxy_may_send_retry_after(close: ControlClient, client: httpx.Client) -> None:
    close.arm("503_before", retry_after_seconds=1.5, body="html")
    response = create(client)
    assert (response.headers["Retry-After"], response.text[:6]) == ("2", "<html>")


def test_a_response_is_half_of_its_json(close: ControlClient, client: httpx.Client) -> None:
    close.arm("garbage_json")
    response = create(client)
    assert (response.status_code, response.headers["Content-Type"]) == (201, "application/json")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        response.json()
    assert names(close) == ["Invoice"]


@pytest.mark.parametrize(("name", "made"), [("create_then_html_error", ["Invoice"]), ("html_error", [])])
def test_a_response_is_an_html_page(close: ControlClient, client: httpx.Client, name: str, made: list[str]) -> None:
    close.arm(name, status=503)
    response = create(client)
    assert (response.status_code, response.text[:6], names(close)) == (503, "<html>", made)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_rejection_can_be_armed(close: ControlClient, client: httpx.Client, status: int) -> None:
    close.arm(str(status))
    response = create(client)
    assert (response.status_code, [*response.json()], names(close)) == (status, ["error"], [])


def test_the_log_shows_clients_that_follow_a_redirect(close: ControlClient, client: httpx.Client) -> None:
    close.arm("redirect")
    response = create(client)
    assert (response.status_code, response.headers["Location"]) == (307, f"{close.url}/elsewhere/")
    followed = client.post(response.headers["Location"], json=INVOICE)
    assert followed.status_code == 501
    assert [entry["path"] for entry in close.requests()] == ["/api/v1/custom_object_type/", "/elsewhere/"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("commas", {"RateLimit": "limit=100, remaining=0, reset=3"}),
        ("commas_decimal", {"RateLimit": "limit=100, remaining=0, reset=2.500000"}),
        ("semicolons", {"RateLimit": "limit=100; remaining=0; reset=3"}),
        ("semicolons_decimal", {"RateLimit": "limit=100; remaining=0; reset=2.500000"}),
        ("separate", {"RateLimit-Limit": "100", "RateLimit-Remaining": "0", "RateLimit-Reset": "3"}),
        ("legacy", {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "2.500000"}),
        ("ietf", {"RateLimit": '"default";r=0;t=3', "RateLimit-Policy": '"default";q=100;w=8'}),
        ("absent", {}),
    ],
)
def test_a_429_has_every_known_form(
    close: ControlClient, client: httpx.Client, header: str, expected: dict[str, str]
) -> None:
    close.arm("429", header=header, reset=2.5)
    response = create(client)
    limits = {name.lower(): value for name, value in response.headers.items() if "limit" in name.lower()}
    assert response.status_code == 429
    assert limits == {name.lower(): value for name, value in expected.items()}
    assert response.headers["Retry-After"] == "3"
    assert names(close) == []


@pytest.mark.parametrize(("form", "expected"), [("empty", b""), ("object", b"{}")])
def test_a_429_may_have_no_headers_and_no_body(
    close: ControlClient, client: httpx.Client, form: str, expected: bytes
) -> None:
    close.arm("429", too_many_body=form, retry_after="absent")
    response = create(client)
    assert (response.content, "Retry-After" in response.headers) == (expected, False)


def test_a_429_may_have_the_legacy_body_and_a_date(close: ControlClient, client: httpx.Client) -> None:
    close.arm("429", too_many_body="legacy", retry_after="date", reset=0.87)
    response = create(client)
    assert response.json()["error"]["rate_reset"] == 0.87
    assert response.headers["Retry-After"].endswith(" GMT")


def test_a_fault_strikes_its_aim_only(close: ControlClient, client: httpx.Client) -> None:
    other = close.add_organization(id="orga_other")["keys"][0]
    close.arm("500_before", aim={"organization": "orga_other"})
    close.arm("502_before", aim={"type_name": "contract"})
    close.arm("503_before", aim={"method": "GET", "path": "custom_object_type/*"})
    assert create(client).status_code == 201
    assert client.get("custom_object_type/").status_code == 200
    assert client.get("custom_object_type/cotype_x/").status_code == 503
    assert create(client, "Contract").status_code == 502
    assert client.post("custom_object_type/", json=INVOICE, auth=(other, "")).status_code == 500
    assert close.fired() == {"500_before": 1, "502_before": 1, "503_before": 1}
    assert close.fired("orga_other") == {"500_before": 1}


def test_a_fault_skips_requests_and_strikes_a_number_of_times(close: ControlClient, client: httpx.Client) -> None:
    close.arm("500_before", times=2, skip=1)
    assert [create(client).status_code for _ in range(5)] == [201, 500, 500, 201, 201]


def test_a_rejected_create_does_not_use_up_a_fault(close: ControlClient, client: httpx.Client) -> None:
    close.arm("create_then_500")
    assert client.post("custom_object_type/", json={}).status_code == 400
    assert close.fired() == {}
    assert create(client).status_code == 500


def test_faults_are_disarmed(close: ControlClient, client: httpx.Client) -> None:
    close.arm("500_before", times=None)
    close.arm("502_before", times=None, aim={"organization": "orga_acme"})
    assert create(client).status_code == 500
    close.disarm("orga_acme")
    assert [order["name"] for order in close.faults()["orders"]] == ["500_before"]
    close.disarm()
    assert create(client).status_code == 201
    assert close.fired() == {"500_before": 1}


@pytest.mark.parametrize(
    ("name", "parameters", "complaint"),
    [
        ("unheard_of", {}, "Unknown fault 'unheard_of'"),
        ("slow", {"how": "reset"}, "unknown parameter 'how'"),
        ("slow", {"seconds": -1}, "cannot be -1"),
        ("429", {"header": "loud"}, "cannot be 'loud'"),
        ("429", {"retry_after": 3}, "cannot be 3"),
        ("html_error", {"status": 201}, "cannot be 201"),
        ("success_without_id", {"location": "yes"}, "cannot be 'yes'"),
        ("slow", {"aim": {"path": 5}}, "path must be a string"),
        ("slow", {"times": -1}, "times must be a whole number"),
        ("slow", {"skip": True}, "skip must be a whole number"),
    ],
)
def test_invalid_faults_are_rejected(
    close: ControlClient, name: str, parameters: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ControlError, match=complaint):
        close.arm(name, **parameters)  # type: ignore[arg-type]


def test_faults_strike_as_often_as_armed_under_many_threads(
    close: ControlClient, new_client: Callable[[str], httpx.Client]
) -> None:
    """Send 200 requests at once, with 50 armed faults: exactly 50 strike, and no create is lost."""
    close.arm("create_then_hang_up", times=30)
    close.arm("408_before", times=20)
    ready = threading.Barrier(50)
    outcomes: list[str] = []

    def work(number: int) -> None:
        with new_client(KEY) as own:
            ready.wait()
            for turn in range(4):
                try:
                    outcomes.append(str(create(own, f"Type {number}-{turn}").status_code))
                except httpx.ReadError:
                    outcomes.append("hung up")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {outcome: outcomes.count(outcome) for outcome in set(outcomes)} == {"201": 150, "408": 20, "hung up": 30}
    assert close.fired() == {"create_then_hang_up": 30, "408_before": 20}
    assert len(names(close)) == 180


def test_chaos_strikes_the_same_requests_for_the_same_seed(close: ControlClient, client: httpx.Client) -> None:
    mix = {"create_then_500": 2, "503_before": 1}

    def run(seed: int) -> list[int]:
        close.reset("faults", "types")
        close.chaos(seed, 0.5, mix)
        return [create(client, f"Type {number // 2}").status_code for number in range(40)]

    first = run(7)
    counted = {500: close.fired()["create_then_500"], 503: close.fired()["503_before"]}
    assert counted == {500: first.count(500), 503: first.count(503)}
    assert len(names(close)) == first.count(201) + first.count(500)
    assert 5 < first.count(201) < 35
    assert run(7) == first
    assert run(8) != first


def test_chaos_stops_at_its_bounds(close: ControlClient, client: httpx.Client) -> None:
    close.chaos(1, 1.0, ["500_before"], times_each=1, times=2, parameters={"500_before": {"body": "json"}})
    assert [create(client, name).status_code for name in ("A", "A", "B", "C")] == [500, 201, 500, 201]
    assert close.faults()["chaos"]["fired"] == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"probability": 2}, "a probability from 0 to 1"),
        ({"mix": {}}, "a mix of faults"),
        ({"mix": {"slow": 0}}, "weights above 0"),
        ({"mix": ["unheard_of"]}, "Unknown fault 'unheard_of'"),
        ({"parameters": {"429": {}}}, "unknown: 429"),
        ({"times_each": 0.5}, "times_each must be a whole number"),
    ],
)
def test_invalid_chaos_is_rejected(close: ControlClient, change: dict[str, object], complaint: str) -> None:
    sound = {"seed": 1, "probability": 0.5, "mix": ["slow"]}
    with pytest.raises(ControlError, match=complaint):
        close.call("PUT", "chaos/", {**sound, **change})


def test_every_fault_has_a_summary(close: ControlClient) -> None:
    told = close.call("GET", "")["faults"]
    assert told.keys() == KINDS.keys()
    assert all(entry["does"] for entry in told.values())
