"""The check of a tenant, against the simulated Close: who can fix what, and that nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from infra.simulator.embedded import InProcessClose
from provisioner.operate.checks import Mark, Who
from provisioner.operate.tenant_check import ALL, NEEDED, TenantCheck
from provisioner.operate.tenant_findings import Binding
from tests.close import SimulatedClose
from tests.fakes import Clock

KEY = "api_check.0123456789abcdef"
ODD_MEMBERSHIP = (
    b'{"id": "u", "organizations": [{"id": "orga_acme"}], '
    b'"memberships": [{"organization_id": "orga_acme", "permissions_granted": 7}]}'
)
STORED = datetime(2026, 11, 27, 8, tzinfo=UTC)


@dataclass
class Memory:
    """The memory of the ledger."""

    remembered: str | None = None
    others: dict[str, list[str]] = field(default_factory=dict)
    paused: float = 0
    refused: str | None = None

    def binding(self, tenant: str, pinned: str | None) -> Binding:
        return Binding(tenant, pinned, self.remembered, self.others)

    def paused_until(self, tenant: str, organization_id: str) -> float:
        return self.paused

    def plan_refusal(self, tenant: str) -> str | None:
        return self.refused


class Secrets:
    """Secrets Manager: versions by stage, by name."""

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str], Any] = {("prefix/acme", "AWSCURRENT"): KEY}
        self.code: str | None = None

    def get_secret_value(self, SecretId: str, VersionStage: str = "AWSCURRENT") -> dict[str, Any]:  # noqa: N803
        code = self.code or (None if (SecretId, VersionStage) in self.secrets else "ResourceNotFoundException")
        if code:
            raise ClientError({"Error": {"Code": code, "Message": KEY}}, "GetSecretValue")
        stored = self.secrets[SecretId, VersionStage]
        return {"SecretString": stored, "VersionId": "0d46a1b2-0000", "CreatedDate": STORED}


class OneTenant:
    """One tenant, whose organization is orga_acme."""

    def __init__(self) -> None:
        self.clock, self.memory, self.secrets = Clock(), Memory(), Secrets()
        self.close = SimulatedClose(self.clock)
        self.simulator: InProcessClose = self.close.simulator
        self.simulator.add_key("orga_acme", KEY)

    def check(self, tenant: str = "acme", **options: Any) -> dict[str, Any]:
        check = TenantCheck(
            self.secrets, "prefix", self.memory, self.close.http, self.simulator.api_url, 20, self.clock
        )
        return check.check(tenant, lambda: 28, **options).as_json()

    def found(self, name: str, **options: Any) -> Mapping[str, Any]:
        return next(each for each in self.check(**options)["checks"] if each["name"] == name)


@pytest.fixture
def world() -> OneTenant:
    return OneTenant()


def marks(report: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["mark"] for each in report["checks"]}


def test_a_good_tenant_is_ready_and_only_its_plan_is_unknown(world: OneTenant) -> None:
    report = world.check()

    assert report["ready"]
    assert marks(report) == {name: "unknown" if name == "plan" else "ok" for name in ALL}
    assert report["organization"] == {"id": "orga_acme", "name": "An organization"}
    assert "Not knowable by reading" in world.found("plan")["seen"]


def test_a_check_writes_nothing(world: OneTenant) -> None:
    world.check()
    assert {each["method"] for each in world.simulator.requests()} == {"GET"}
    assert not world.close.writes


@pytest.mark.parametrize(
    ("settings", "name", "mark", "who"),
    [
        ({"role_id": "user"}, "permission", Mark.FAILED, Who.CLOSE_ADMIN),
        ({"may_customize": False}, "permission", Mark.FAILED, Who.CLOSE_ADMIN),
        ({"role_id": "user", "permissions_granted": ["manage_customizations"]}, "permission", Mark.OK, None),
        (
            {"role_id": "role_1", "roles": {"role_1": {"name": "Head", "permissions": ["manage_organization"]}}},
            "permission",
            Mark.WARNING,
            Who.CLOSE_ADMIN,
        ),
        ({"role_id": "role_unknown"}, "permission", Mark.UNKNOWN, Who.CLOSE_ADMIN),
        (
            {"role_id": "user", "options": {"roles_readable": "by_administrators"}},
            "permission",
            Mark.UNKNOWN,
            Who.CLOSE_ADMIN,
        ),
        (
            {"has_custom_objects": False, "options": {"plan_failure_on": "everything"}},
            "types",
            Mark.FAILED,
            Who.CLOSE_BILLING,
        ),
        (
            {"has_custom_objects": False, "options": {"plan_failure_on": "everything", "plan_failure": 403}},
            "types",
            Mark.FAILED,
            Who.CLOSE_ADMIN,
        ),
        ({"max_types": 0}, "plan", Mark.UNKNOWN, None),
        ({"rate_limit": {"requests": 20, "window_seconds": 60}}, "rate-limit", Mark.OK, None),
        ({"rate_limit": {"requests": 1, "window_seconds": 60}}, "rate-limit", Mark.WARNING, Who.OPERATOR),
        ({"options": {"rate_limit_header": "absent"}}, "rate-limit", Mark.UNKNOWN, None),
        ({"options": {"date_ahead_seconds": 400}}, "clock", Mark.WARNING, Who.OPERATOR),
        ({"options": {"date_behind_seconds": 61}}, "clock", Mark.WARNING, Who.OPERATOR),
        ({"options": {"date_behind_seconds": 59}}, "clock", Mark.OK, None),
    ],
)
def test_what_is_wrong_at_close_is_found_with_the_one_who_can_fix_it(
    world: OneTenant, settings: dict[str, Any], name: str, mark: Mark, who: Who | None
) -> None:
    world.simulator.change_organization("orga_acme", **settings)

    found = world.found(name)

    assert (found["mark"], found["who"]) == (mark, who)
    assert (found["fix"] is None) == (who is None)


@pytest.mark.parametrize("spelling", ["commas", "semicolons", "separate", "legacy", "ietf"])
def test_the_headroom_is_read_from_every_known_header(world: OneTenant, spelling: str) -> None:
    world.simulator.change_organization(
        "orga_acme", rate_limit={"requests": 8, "window_seconds": 60}, options={"rate_limit_header": spelling}
    )
    assert world.found("rate-limit")["seen"] == "7 of 8 requests are left in this window."


@pytest.mark.parametrize("status", [403, 401])
def test_a_role_that_forbids_is_not_ready_however_close_says_so(world: OneTenant, status: int) -> None:
    world.simulator.change_organization("orga_acme", role_id="user", options={"permission_failure": status})
    assert not world.check()["ready"]


def test_a_rejected_key_is_for_an_administrator_and_ends_the_check(world: OneTenant) -> None:
    world.simulator.revoke(KEY)

    report = world.check()

    assert not report["ready"]
    assert marks(report) == {"secret": "ok", "key": "failed", **dict.fromkeys(ALL[2:], "unknown")}
    assert world.found("key")["who"] == Who.CLOSE_ADMIN
    assert "close-provisioner tenants rotate acme" in world.found("key")["fix"]


def test_a_user_who_may_not_even_ask_is_for_an_administrator(world: OneTenant) -> None:
    world.close.http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(403)))
    found = world.found("key")
    assert (found["mark"], found["who"], "(403)" in found["seen"]) == (Mark.FAILED, Who.CLOSE_ADMIN, True)


def test_a_close_that_is_down_says_nothing_about_the_key(world: OneTenant) -> None:
    world.simulator.call("POST", "faults/", {"name": "503_before", "method": "GET", "path": "me/", "times": None})

    report = world.check()

    assert not report["ready"]
    assert marks(report)["key"] == Mark.UNKNOWN


def test_every_check_reads_the_secret_that_is_stored_now(world: OneTenant) -> None:
    assert world.check()["ready"]
    world.secrets.secrets["prefix/acme", "AWSCURRENT"] = "api_typo.typo"

    assert marks(world.check())["key"] == Mark.FAILED


def test_a_staged_key_is_checked_before_it_becomes_the_current_one(world: OneTenant) -> None:
    world.secrets.secrets["prefix/acme", "AWSPENDING"] = "api_typo.typo"

    assert marks(world.check(pending=True))["key"] == Mark.FAILED
    assert world.check()["ready"]


def test_without_a_staged_key_the_check_says_so(world: OneTenant) -> None:
    found = world.check(pending=True)["checks"][0]
    assert found["mark"] == Mark.FAILED
    assert "AWSPENDING" in found["seen"]


@pytest.mark.parametrize(
    ("secret", "seen"),
    [
        (None, "No secret prefix/acme exists"),
        ("", "it is empty"),
        ('{"apikey": "api_x.y"}', "it must contain either api_key or access_token"),
        ('{"api_key": "whsec_abc"}', "secret of another service"),
        ("Bearer x", "belongs to the header"),
    ],
)
def test_a_secret_that_cannot_be_used_is_for_the_operator(world: OneTenant, secret: str | None, seen: str) -> None:
    if secret is None:
        del world.secrets.secrets["prefix/acme", "AWSCURRENT"]
    else:
        world.secrets.secrets["prefix/acme", "AWSCURRENT"] = secret

    report = world.check()

    first = report["checks"][0]
    assert (first["mark"], first["who"]) == (Mark.FAILED, Who.OPERATOR)
    assert seen in first["seen"]
    assert not report["ready"]
    assert not world.simulator.requests()


@pytest.mark.parametrize(
    ("code", "mark"),
    [("AccessDeniedException", "failed"), ("InternalServiceError", "unknown"), ("DecryptionFailure", "failed")],
)
def test_a_secret_that_cannot_be_read(world: OneTenant, code: str, mark: str) -> None:
    world.secrets.code = code
    report = world.check()
    assert marks(report)["secret"] == mark
    assert not report["ready"]


def test_a_tenant_with_a_colon_never_has_a_secret(world: OneTenant) -> None:
    assert world.check("a:b")["checks"][0]["mark"] == Mark.FAILED


def test_no_report_holds_the_key(world: OneTenant) -> None:
    for secret in (KEY, f'{{"api_key": "{KEY}"}}', f'{{"apikey": "{KEY}"}}', f'"{KEY}', f"x {KEY}"):
        world.secrets.secrets["prefix/acme", "AWSCURRENT"] = secret
        assert KEY not in str(world.check())
    world.simulator.revoke(KEY)
    world.secrets.secrets["prefix/acme", "AWSCURRENT"] = KEY
    assert KEY not in str(world.check())


class TestTheOrganization:
    """The right one is named in the secret, or remembered from the tenant's first request."""

    def test_that_the_secret_names_must_be_opened(self, world: OneTenant) -> None:
        pinned = f'{{"api_key": "{KEY}", "organization_id": "orga_globex"}}'
        world.secrets.secrets["prefix/acme", "AWSCURRENT"] = pinned
        found = world.found("organization")
        assert (found["mark"], found["who"]) == (Mark.FAILED, Who.OPERATOR)
        assert found["seen"] == "An organization (orga_acme), but its secret names orga_globex."

    def test_that_the_tenant_worked_in_must_be_opened(self, world: OneTenant) -> None:
        world.memory.remembered = "orga_globex"
        assert world.found("organization")["mark"] == Mark.FAILED

    def test_a_secret_that_names_another_one_moves_the_tenant(self, world: OneTenant) -> None:
        world.memory.remembered = "orga_globex"
        world.secrets.secrets["prefix/acme", "AWSCURRENT"] = f'{{"api_key": "{KEY}", "organization_id": "orga_acme"}}'
        assert world.found("organization")["mark"] == Mark.OK

    def test_another_tenant_in_it_is_worth_a_look(self, world: OneTenant) -> None:
        world.memory.others = {"orga_acme": ["globex"]}
        report = world.check()
        assert marks(report)["organization"] == Mark.WARNING
        assert report["ready"]

    def test_of_several_of_the_user_the_roles_tell_which(self, world: OneTenant) -> None:
        world.simulator.change_organization("orga_acme", member_of={"orga_globex": "user"})
        assert world.check()["organization"]["id"] == "orga_acme"

    def test_without_roles_close_does_not_say_which(self, world: OneTenant) -> None:
        options = {"roles_readable": "by_administrators"}
        world.simulator.change_organization(
            "orga_acme", role_id="user", member_of={"orga_globex": "admin"}, options=options
        )
        report = world.check()
        assert marks(report)["organization"] == Mark.FAILED
        assert report["organization"] is None


def test_a_recent_402_is_said(world: OneTenant) -> None:
    world.memory.refused = "request signup-7 at 2026-11-27T08:00:00Z"
    found = world.found("plan")
    assert (found["mark"], found["who"]) == (Mark.WARNING, Who.CLOSE_BILLING)
    assert "signup-7" in found["seen"]


def test_many_fields_are_near_the_documented_limit(world: OneTenant) -> None:
    for number in range(225):
        world.simulator.add_field("orga_acme", None, f"Field {number}", type="text", list_lag_seconds=0)
    assert world.found("plan")["mark"] == Mark.WARNING


def test_a_pause_that_close_asked_for_is_said(world: OneTenant) -> None:
    world.memory.paused = world.clock() + 30
    assert "30 s" in world.found("rate-limit")["seen"]


@pytest.mark.parametrize(
    "me",
    [
        b"",
        b"[]",
        b"{}",
        b'{"organizations": 7, "memberships": [1, {"role_id": "x"}]}',
        b'{"organizations": [{}]}',
        ODD_MEMBERSHIP,
    ],
)
def test_an_answer_that_is_not_as_documented_is_no_success(world: OneTenant, me: bytes) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/me/"):
            return httpx.Response(200, content=me)
        return world.simulator.handle(request)

    world.close.http = httpx.Client(transport=httpx.MockTransport(respond))
    report = world.check()

    assert marks(report)["user"] == Mark.UNKNOWN
    assert set(NEEDED) <= marks(report).keys()
