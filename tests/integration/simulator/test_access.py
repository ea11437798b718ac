"""Access: keys, tokens, roles, plans and rate limits."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from infra.simulator import ControlClient, ControlError

INVOICE = {"name": "Invoice", "name_plural": "Invoices"}
KEY = "api_acme.0123456789"


def create(client: httpx.Client, name: str = "Invoice") -> httpx.Response:
    return client.post("custom_object_type/", json={"name": name, "name_plural": f"{name}s"})


@pytest.mark.parametrize(
    "authorization", ["", "Basic", "Basic !", "Basic YXBpX2FjbWU6cHc=", f"Bearer {KEY}", "Bearer x"]
)
def test_a_caller_without_a_key_gets_401(close: ControlClient, authorization: str) -> None:
    response = httpx.get(f"{close.api_url}me/", headers={"Authorization": authorization}, trust_env=False)
    assert (response.status_code, response.json()) == (401, {"error": "Unauthorized"})


def test_a_revoked_key_gets_401_until_it_is_valid_again(close: ControlClient, client: httpx.Client) -> None:
    close.revoke(KEY)
    assert create(client).status_code == 401
    close.revoke(KEY, revoked=False)
    assert create(client).status_code == 201


def test_me_shows_the_organization(client: httpx.Client) -> None:
    me = client.get("me/").json()
    assert me["organizations"][0]["id"] == "orga_acme"
    assert me["memberships"][0]["organization_id"] == "orga_acme"
    assert client.get("me/?_fields=id").json() == {"id": me["id"]}


def test_roles_are_paged(client: httpx.Client) -> None:
    roles = client.get("role/").json()
    assert roles["has_more"] is False
    assert {"admin", "superuser"} <= {role["id"] for role in roles["data"]}
    page = client.get("role/?_skip=1&_limit=2").json()
    assert ([role["id"] for role in page["data"]], page["has_more"]) == ([r["id"] for r in roles["data"][1:3]], True)
    assert client.get("role/?_limit=x").status_code == 400


def test_a_role_without_customizing_can_still_read(close: ControlClient, client: httpx.Client) -> None:
    close.change_organization("orga_acme", may_customize=False)
    assert create(client).status_code == 403
    assert client.get("custom_object_type/").status_code == 200


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"role_id": "user"}, 403),
        ({"role_id": "superuser"}, 201),
        ({"roles": {"role_1": "Sales"}, "role_id": "role_1"}, 403),
        ({"roles": {"role_1": {"name": "Sales", "permissions": ["manage_customizations"]}}, "role_id": "role_1"}, 201),
        ({"role_id": "user", "permissions_granted": ["manage_customizations"]}, 201),
    ],
)
def test_the_role_of_the_user_decides(
    close: ControlClient, client: httpx.Client, settings: dict[str, object], status: int
) -> None:
    close.change_organization("orga_acme", **settings)
    assert create(client).status_code == status

    (membership,) = client.get("me/").json()["memberships"]
    assert membership["role_id"] == settings["role_id"]
    (role,) = [each for each in client.get("role/").json()["data"] if each["id"] == settings["role_id"]]
    granted = {*role["permissions"], *membership["permissions_granted"]}
    assert ("manage_customizations" in granted) is (status == 201)


def test_roles_may_be_hidden_from_users_without_the_permission(close: ControlClient, client: httpx.Client) -> None:
    close.change_organization("orga_acme", options={"roles_readable": "by_administrators"})
    assert client.get("role/").status_code == 200
    close.change_organization("orga_acme", role_id="user")
    assert client.get("role/").status_code == 403


def test_a_user_may_belong_to_several_organizations(close: ControlClient, client: httpx.Client) -> None:
    close.add_organization(id="orga_globex", name="Globex")
    close.change_organization("orga_acme", member_of={"orga_globex": "user"})

    me = client.get("me/").json()

    assert [(each["id"], each["name"]) for each in me["organizations"]] == [
        ("orga_acme", "Acme"),
        ("orga_globex", "Globex"),
    ]
    assert [(each["organization_id"], each["role_id"]) for each in me["memberships"]] == [
        ("orga_acme", "admin"),
        ("orga_globex", "user"),
    ]


@pytest.mark.parametrize(
    ("options", "skew"), [({}, 0), ({"date_ahead_seconds": 400}, 400), ({"date_behind_seconds": 7200}, -7200)]
)
def test_the_clock_of_close_may_be_wrong(
    close: ControlClient, client: httpx.Client, options: dict[str, object], skew: int
) -> None:
    close.change_organization("orga_acme", options=options)
    shown = parsedate_to_datetime(client.get("me/").headers["Date"])
    assert abs(shown - datetime.now(UTC) - timedelta(seconds=skew)) < timedelta(seconds=5)


def test_a_plan_limits_the_number_of_fields(close: ControlClient, client: httpx.Client) -> None:
    close.change_organization("orga_acme", max_fields=1)
    type_id = create(client).json()["id"]
    field = {"name": "Seats", "type": "number"}
    paths = ["custom_field/shared/", "custom_field/custom_object_type/", "custom_field/shared/"]
    bodies = [field, {**field, "custom_object_type_id": type_id}, {**field, "name": "Tier"}]
    answers = [client.post(path, json=body).status_code for path, body in zip(paths, bodies, strict=True)]
    assert answers == [200, 402, 402]


def test_a_plan_without_custom_objects_rejects_writes(close: ControlClient, client: httpx.Client) -> None:
    close.change_organization("orga_acme", has_custom_objects=False)
    assert create(client).status_code == 402
    assert client.get("custom_object_type/").status_code == 200


def test_a_plan_limits_the_number_of_types(close: ControlClient, client: httpx.Client) -> None:
    close.change_organization("orga_acme", max_types=1)
    assert [create(client).status_code, create(client).status_code] == [201, 402]


def test_a_key_has_a_rate_limit(close: ControlClient, client: httpx.Client) -> None:
    key = close.add_key("orga_acme", rate_limit={"requests": 2, "window_seconds": 60})
    answers = [client.get("me/", auth=(key, "")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit"] == "limit=2, remaining=1, reset=60"
    assert answers[2].headers["RateLimit"] == "limit=2, remaining=0, reset=60"
    assert answers[2].headers["Retry-After"] == "60"
    assert client.get("role/", auth=(key, "")).status_code == 200, "another group of endpoints"
    assert client.get("me/").status_code == 200, "another key"


def test_an_organization_has_a_rate_limit_for_all_its_keys(close: ControlClient, client: httpx.Client) -> None:
    close.change_organization("orga_acme", rate_limit={"requests": 2, "window_seconds": 0.5})
    other = (close.add_key("orga_acme"), "")
    assert [client.get("me/").status_code, client.get("me/", auth=other).status_code] == [200, 200]
    refused = client.get("me/")
    assert refused.status_code == 429
    time.sleep(float(refused.headers["RateLimit"].rpartition("=")[2]))
    assert client.get("me/").status_code == 200


def test_an_access_token_is_accepted_as_bearer_until_it_is_revoked(close: ControlClient, client: httpx.Client) -> None:
    token = close.add_tokens("orga_acme")["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{close.api_url}me/", headers=bearer, trust_env=False).status_code == 200
    assert client.get("me/", auth=(token, "")).status_code == 401
    close.revoke(token)
    assert httpx.get(f"{close.api_url}me/", headers=bearer, trust_env=False).status_code == 401


def test_a_key_exists_once(close: ControlClient) -> None:
    with pytest.raises(ControlError, match="this key exists already"):
        close.add_key("orga_acme", KEY)
    with pytest.raises(ControlError, match="not found: 'orga_none'"):
        close.add_key("orga_none")


def test_the_log_never_holds_a_key(close: ControlClient, client: httpx.Client) -> None:
    create(client)
    assert KEY not in str(close.call("GET", "requests/"))
    assert KEY not in str(close.call("GET", "organizations/"))
    assert close.requests()[0]["key_suffix"] == "6789"
