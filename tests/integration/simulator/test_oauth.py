"""Access tokens: exchanged, renewed with rotating refresh tokens, revoked."""

from typing import Any

import httpx
import pytest

from infra.simulator import ControlClient

type Client = dict[str, Any]


@pytest.fixture
def app(close: ControlClient) -> Client:
    return close.add_oauth_client()


def token(close: ControlClient, **form: str) -> httpx.Response:
    return httpx.post(f"{close.url}/oauth2/token/", data=form, trust_env=False)


def refresh(close: ControlClient, app: Client, refresh_token: str) -> httpx.Response:
    return token(close, grant_type="refresh_token", refresh_token=refresh_token, **app)


def status_of_me(close: ControlClient, access_token: str) -> int:
    headers = {"Authorization": f"Bearer {access_token}"}
    return httpx.get(f"{close.api_url}me/", headers=headers, trust_env=False).status_code


def test_a_code_is_exchanged_once(close: ControlClient, app: Client) -> None:
    code = close.add_code("orga_acme")
    granted = token(close, grant_type="authorization_code", code=code, **app).json()
    assert granted.keys() == {
        "token_type",
        "access_token",
        "expires_in",
        "refresh_token",
        "scope",
        "organization_id",
        "user_id",
    }
    assert (granted["token_type"], granted["expires_in"], granted["organization_id"]) == ("Bearer", 3600, "orga_acme")
    assert status_of_me(close, granted["access_token"]) == 200
    again = token(close, grant_type="authorization_code", code=code, **app)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_a_refresh_token_is_exchanged_once(close: ControlClient, app: Client) -> None:
    first = close.add_tokens("orga_acme", app["client_id"])
    second = refresh(close, app, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert status_of_me(close, second["access_token"]) == 200
    again = refresh(close, app, first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert refresh(close, app, second["refresh_token"]).status_code == 200


def test_an_exchanged_refresh_token_may_have_a_grace(close: ControlClient, app: Client) -> None:
    close.set_options(refresh_grace_seconds=60)
    first = close.add_tokens("orga_acme", app["client_id"])["refresh_token"]
    assert [refresh(close, app, first).status_code for _ in range(2)] == [200, 200]


def test_a_refresh_may_return_no_refresh_token(close: ControlClient, app: Client) -> None:
    close.set_options(refresh_answers_with_refresh_token=False)
    first = close.add_tokens("orga_acme", app["client_id"])["refresh_token"]
    assert "refresh_token" not in refresh(close, app, first).json()
    assert refresh(close, app, first).status_code == 200, "the old one stays good"


def test_an_access_token_expires(close: ControlClient) -> None:
    close.set_options(token_lifetime_seconds=0)
    granted = close.add_tokens("orga_acme")
    assert (granted["expires_in"], status_of_me(close, granted["access_token"])) == (0, 401)


def test_revoking_ends_both_kinds_of_token(close: ControlClient, app: Client) -> None:
    granted = close.add_tokens("orga_acme", app["client_id"])
    for kind in ("access_token", "refresh_token"):
        form = {**app, "token": granted[kind]}
        assert httpx.post(f"{close.url}/oauth2/revoke/", data=form, trust_env=False).status_code == 200
    assert status_of_me(close, granted["access_token"]) == 401
    assert refresh(close, app, granted["refresh_token"]).status_code == 400


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "oa2client_none"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"refresh_token": "unheard of"}, 400, "invalid_grant"),
    ],
)
def test_invalid_token_requests_are_rejected(
    close: ControlClient, app: Client, form: dict[str, str], status: int, error: str
) -> None:
    sound = {**app, "grant_type": "refresh_token", "refresh_token": "x"}
    response = token(close, **{**sound, **form})
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_a_client_may_authenticate_by_basic(close: ControlClient, app: Client) -> None:
    first = close.add_tokens("orga_acme", app["client_id"])["refresh_token"]
    response = httpx.post(
        f"{close.url}/oauth2/token/",
        data={"grant_type": "refresh_token", "refresh_token": first},
        auth=(app["client_id"], app["client_secret"]),
        trust_env=False,
    )
    assert response.status_code == 200
