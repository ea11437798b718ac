"""The guard lets in the browser that opened the printed URL, and nothing else."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from close_provisioner.console.guard import Guard

ORIGIN = "http://127.0.0.1:8321"
TOKEN = "a-token-of-this-test"


def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.method} {request.url.path}")


@pytest.fixture
def browser() -> Iterator[TestClient]:
    app = Starlette(routes=[Route("/requests", answer, methods=["GET", "POST"]), Route("/", answer)])
    with TestClient(Guard(app, ORIGIN, TOKEN), base_url=ORIGIN, follow_redirects=False) as client:
        yield client


@pytest.fixture
def entered(browser: TestClient) -> TestClient:
    browser.get("/", params={"token": TOKEN})
    return browser


def test_the_printed_url_becomes_a_cookie_and_leaves_the_address_bar(browser: TestClient) -> None:
    response = browser.get("/requests", params={"token": TOKEN})
    assert (response.status_code, response.headers["location"]) == (303, "/requests")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert browser.get("/requests").text == "GET /requests"


@pytest.mark.parametrize("path", ["/", "/requests", "/static/console.css", "/live/overview"])
def test_nothing_is_shown_without_the_token(browser: TestClient, path: str) -> None:
    response = browser.get(path)
    assert response.status_code == 403
    assert "URL" in response.text


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], "é"])
def test_another_token_does_not_enter(browser: TestClient, token: str) -> None:
    response = browser.get("/", params={"token": token})
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


def test_a_redirect_never_leaves_this_console(browser: TestClient) -> None:
    response = browser.get(f"//evil.example/?token={TOKEN}")
    assert response.headers["location"] == "/"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:9999", "localhost:8321", "127.0.0.1:8321.evil.example"])
def test_another_name_for_this_address_is_refused_even_with_the_cookie(entered: TestClient, host: str) -> None:
    response = entered.get("/requests", headers={"host": host})
    assert response.status_code == 421
    assert response.text != "GET /requests"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"origin": ORIGIN, "sec-fetch-site": "same-site"},
    ],
)
def test_a_form_of_another_site_changes_nothing(entered: TestClient, headers: dict[str, str]) -> None:
    response = entered.post("/requests", headers=headers)
    assert response.status_code == 403
    assert "Nothing was changed" in response.text


def test_a_form_of_this_console_is_taken(entered: TestClient) -> None:
    response = entered.post("/requests", headers={"origin": ORIGIN, "sec-fetch-site": "same-origin"})
    assert response.text == "POST /requests"


def test_the_token_in_a_form_does_not_enter(browser: TestClient) -> None:
    assert browser.post("/requests", params={"token": TOKEN}, headers={"origin": ORIGIN}).status_code == 403


def test_every_response_forbids_scripts_and_frames_of_others(browser: TestClient, entered: TestClient) -> None:
    for response in (browser.get("/nowhere"), entered.get("/requests"), browser.get("/", headers={"host": "x"})):
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["cache-control"] == "no-store"


def test_consoles_on_two_ports_have_cookies_of_their_own() -> None:
    app = Starlette()
    assert Guard(app, ORIGIN, TOKEN).cookie != Guard(app, "http://127.0.0.1:8322", TOKEN).cookie
