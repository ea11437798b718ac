"""The mapping from a sender's event to a provisioning request."""

import json
from pathlib import Path
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.request import IDENTIFIER_PATTERN
from provisioner.contract.validation import parse_request
from provisioner.ingest.mapping import Expression, Ignored, Source, to_request
from provisioner.ingest.sources import FOLDER, Sources, parse_source
from tests.webhook_senders import EVENTS, PRESET_EVENTS, PRESETS, SOURCES, found

EXPECTED = {
    ("stripe", "customer.created"): ("acme", "evt_1SWk2eLkdIwHu7ixJ0tXq3mA"),
    ("stripe", "checkout.session.completed"): ("acme", "evt_1SWk3yLkdIwHu7ixbCqQ8r2P"),
    ("stripe", "customer.subscription.created"): ("acme", "evt_1SWk3xLkdIwHu7ixW5YqAb0Z"),
    ("clerk", "organization.created"): ("org_29w9IfBrPmcpi0IeBVaKtA7R94W", "msg_1"),
    ("clerk", "organizationMembership.created"): ("org_29w9IfBrPmcpi0IeBVaKtA7R94W", "msg_1"),
    ("auth0", "organization.created"): ("acme", "evt_vjFVP5pVdfvsfRKatshkVV"),
    ("workos", "organization.created"): ("acme", "event_01EHWNCE74X7JSDV0X3SZ3KJNY"),
    ("chargebee", "customer_created"): ("acme", "ev_16BdDXSlbu4uV1Ee6"),
    ("chargebee", "subscription_created"): ("16BdDXSlbu4uT1Ee5", "ev_16BdDXSlbu5GQ1Ega"),
    ("paddle", "customer.created"): ("acme", "evt_01hv8wptq8987qeep44cyrewp9"),
    ("paddle", "subscription.created"): ("ctm_01hv6y1jedq4p1n0yqn5ba3ky4", "evt_01hv8x2bbnbzvmcc0gxrwhxwcx"),
    ("standard-webhooks", "signup.completed"): ("acme", "msg_1"),
    ("cloudevents", "signup.completed"): ("acme", "A234-1234-1234"),
}

CANDIDATES = {
    ("stripe", "customer.created"): ["account", "data.object.metadata.tenant_id", "data.object.id"],
    ("stripe", "checkout.session.completed"): [
        "account",
        "data.object.metadata.tenant_id",
        "data.object.customer",
        "data.object.customer_account",
    ],
    ("stripe", "customer.subscription.created"): [
        "account",
        "data.object.metadata.tenant_id",
        "data.object.customer",
        "data.object.customer_account",
    ],
    ("clerk", "organization.created"): ["data.id"],
    ("clerk", "organizationMembership.created"): ["data.organization.id"],
    ("auth0", "organization.created"): ["data.object.metadata.tenant_id", "data.object.id"],
    ("workos", "organization.created"): ["data.external_id", "data.metadata.tenant_id", "data.id"],
    ("chargebee", "customer_created"): ["content.customer.meta_data.tenant_id", "content.customer.id"],
    ("chargebee", "subscription_created"): [
        "content.subscription.meta_data.tenant_id",
        "content.customer.meta_data.tenant_id",
        "content.subscription.customer_id",
    ],
    ("paddle", "customer.created"): ["data.custom_data.tenant_id", "data.id"],
    ("paddle", "subscription.created"): ["data.customer_id"],
    ("standard-webhooks", "signup.completed"): ["data.tenant_id", "data.id"],
    ("cloudevents", "signup.completed"): ["subject", "data.tenant_id"],
}


def fixture(source: str, event: str) -> dict[str, Any]:
    event_as_sent: dict[str, Any] = json.loads((FOLDER / "fixtures" / source / f"{event}.json").read_text())
    return event_as_sent


def mapped(source: Source, event: dict[str, Any], delivery_id: str | None = None) -> dict[str, Any]:
    request = to_request(source, event, delivery_id)
    assert isinstance(request, dict), request
    return request


def put(event: dict[str, Any], path: str, value: Any) -> None:
    *steps, last = path.split(".")
    for step in steps:
        if not isinstance(event.get(step), dict):
            event[step] = {}
        event = event[step]
    event[last] = value


class TestPresets:
    def test_every_event_of_every_preset_is_here(self) -> None:
        assert set(PRESET_EVENTS) == set(EXPECTED) == set(CANDIDATES)

    @pytest.mark.parametrize(("source", "event"), EXPECTED, ids=map("/".join, EXPECTED))
    def test_a_fixture_is_a_request_for_its_tenant_under_its_own_id(self, source: str, event: str) -> None:
        body = mapped(found(source), fixture(source, event), "msg_1" if found(source).scheme.signs_id else None)
        request = parse_request(json.dumps(body))
        assert (request.tenant, request.request_id) == EXPECTED[source, event]
        assert body["if_exists"] == "adopt"

    @pytest.mark.parametrize(("source", "event"), CANDIDATES, ids=map("/".join, CANDIDATES))
    def test_the_first_candidate_that_is_there_is_the_tenant(self, source: str, event: str) -> None:
        candidates = CANDIDATES[source, event]
        for number, path in enumerate(candidates):
            body = fixture(source, event)
            for earlier in candidates[:number]:
                put(body, earlier, [None, ""][number % 2])
            put(body, path, f"tenant-{number}")
            assert mapped(found(source), body, "msg_1")["tenant"] == f"tenant-{number}"

    @pytest.mark.parametrize(("source", "event"), CANDIDATES, ids=map("/".join, CANDIDATES))
    def test_an_event_without_a_candidate_is_invalid(self, source: str, event: str) -> None:
        body = fixture(source, event)
        for path in CANDIDATES[source, event]:
            put(body, path, None)
        with pytest.raises(Rejected, match="has no tenant") as caught:
            to_request(found(source), body, "msg_1")
        assert caught.value.kind is ProblemType.INVALID_EVENT

    @pytest.mark.parametrize(
        ("source", "event", "sign"),
        [
            ("stripe", "customer.created", ("livemode", False)),
            ("auth0", "organization.created", ("a0purpose", "test")),
            ("paddle", "customer.created", ("event_id", "ntfsimevt_01j82zdgkehpt4ehhe2zs9kqfg")),
            ("paddle", "customer.created", ("notification_id", "ntfsimntf_01j82zdgr7gs3hvjqjm4ynrt5f")),
            ("chargebee", "customer_created", ("content.customer.id", "__test__5SK0bLNFRFuCIi8Nj")),
        ],
    )
    def test_trap_7_a_test_event_is_ignored_unless_the_source_takes_them(
        self, source: str, event: str, sign: tuple[str, Any]
    ) -> None:
        body = fixture(source, event)
        put(body, *sign)
        assert to_request(found(source), body, None) == Ignored("test events of this source are ignored")
        text = (FOLDER / f"{source}.toml").read_text()
        opted_in = parse_source(source, text.replace("is_test =", "takes_tests = true\nis_test ="))
        assert mapped(opted_in, body)["tenant"] == "acme"


class TestAnySource:
    @pytest.mark.parametrize(("source", "event"), EVENTS, ids=map("/".join, EVENTS))
    def test_a_fixture_becomes_the_same_request_each_time(self, source: str, event: str) -> None:
        delivery_id = "msg_1" if found(source).scheme.signs_id else None
        body = mapped(found(source), fixture(source, event), delivery_id)
        assert body == mapped(found(source), fixture(source, event), delivery_id)
        request = parse_request(json.dumps(body))
        assert (request.tenant, request.request_id) == (body["tenant"], body["request_id"])
        assert body["if_exists"] == "adopt"

    @pytest.mark.parametrize("source", SOURCES.names())
    def test_trap_8_an_event_of_another_kind_is_ignored_with_a_reason(self, source: str) -> None:
        other = {"id": "evt_1"}
        put(other, found(source).kind.text, "invoice.paid")
        kind = "'invoice.paid'" if found(source).kind.of(other) == "invoice.paid" else "this"
        ignored = Ignored(f"{kind} is not mapped to a request")
        assert to_request(found(source), other, "msg_1") == ignored
        assert isinstance(to_request(found(source), {}, "msg_1"), Ignored)


SOURCE = """
scheme = "stripe"
[events.signup]
when = "type == 'signup'"
tenant = "tenant"
blueprint = "saas-subscriptions"
values = { company = "company.name", seats = "seats", domain = "join('.', domain)" }
"""


class TestAMapping:
    @pytest.fixture
    def source(self) -> Source:
        return parse_source("acme", SOURCE)

    def test_missing_values_are_omitted(self, source: Source) -> None:
        event = {"type": "signup", "id": "1", "tenant": "acme", "company": {"name": "Acme"}, "domain": ["acme", 7]}
        assert mapped(source, event) == {
            "tenant": "acme",
            "request_id": "1",
            "if_exists": "adopt",
            "wait_for_tenant": True,
            "blueprint": "saas-subscriptions",
            "values": {"company": "Acme"},
        }

    @pytest.mark.parametrize(
        "tenant", ["acme/emea", "ac me", "a" * 129, "", "é", "acme\n", None, True, 1.5, ["acme"], {"a": 1}]
    )
    def test_an_invalid_tenant_id_is_rejected(self, source: Source, tenant: Any) -> None:
        with pytest.raises(Rejected, match="has no tenant"):
            to_request(source, {"type": "signup", "id": "1", "tenant": tenant}, None)

    def test_a_number_may_name_a_tenant_and_an_event(self, source: Source) -> None:
        body = mapped(source, {"type": "signup", "id": 17, "tenant": 4711})
        assert (body["tenant"], body["request_id"]) == ("4711", "17")

    @pytest.mark.parametrize("event_id", ["urn:uuid/1", "a b", "é", "a" * 200, "\ud800"])
    def test_an_invalid_event_id_has_one_hash(self, source: Source, event_id: str) -> None:
        event = {"type": "signup", "id": event_id, "tenant": "acme"}
        request_id = mapped(source, event)["request_id"]
        assert Expression(f"'{request_id}'").of({}) == request_id == mapped(source, event)["request_id"]
        assert parse_request(
            json.dumps({"request_id": request_id, "custom_object_type": {"name": "a", "name_plural": "b"}})
        )
        assert len(request_id) == 64

    @pytest.mark.parametrize("event_id", [None, "", [], False])
    def test_an_event_without_an_id_is_invalid(self, source: Source, event_id: Any) -> None:
        with pytest.raises(Rejected, match="has no id"):
            to_request(source, {"type": "signup", "id": event_id, "tenant": "acme"}, None)

    def test_the_kind_in_a_reason_is_truncated(self, source: Source) -> None:
        ignored = to_request(source, {"type": "x" * 5000}, None)
        assert isinstance(ignored, Ignored)
        assert len(ignored.reason) < 200
        assert to_request(source, {"type": {"a": 1}}, None) == Ignored("the event is not mapped to a request")

    def test_only_true_marks_a_test_event(self) -> None:
        source = parse_source("acme", SOURCE.replace("type == 'signup'", "type"))
        assert isinstance(to_request(source, {"type": "signup"}, None), Ignored)

    def test_the_first_event_that_fits_wins(self) -> None:
        second = SOURCE.partition("[events.signup]")[2].replace("saas-subscriptions", "another")
        source = parse_source("acme", f"{SOURCE}\n[events.second]{second}")
        event = {"type": "signup", "id": "1", "tenant": "acme"}
        assert mapped(source, event)["blueprint"] == "saas-subscriptions"

    def test_trap_4_only_the_body_is_read(self, source: Source) -> None:
        """A mapping receives the body and a signed id, and no header."""
        assert not found("stripe").scheme.signs_id
        assert [name for name in PRESETS if found(name).scheme.signs_id] == ["clerk", "standard-webhooks"]

    @pytest.mark.parametrize("allowed", ['"acme-[a-z]+"', '["acme-emea", "acme-apac"]'])
    def test_hole_8_a_source_may_restrict_the_tenants_that_it_may_name(self, allowed: str) -> None:
        source = parse_source("acme", f"tenants = {allowed}\n{SOURCE}")
        event = {"type": "signup", "id": "1"}
        assert mapped(source, event | {"tenant": "acme-emea"})["tenant"] == "acme-emea"
        for other in ("globex", "acme", "acme-emea-2", "my-acme-emea", "Acme-emea"):
            with pytest.raises(Rejected, match="The source acme may not name the tenant") as caught:
                to_request(source, event | {"tenant": other}, None)
            assert caught.value.kind is ProblemType.INVALID_EVENT
            assert f"{other!r}: its file allows acme-" in caught.value.problem.detail

    def test_a_list_of_tenants_is_no_pattern(self) -> None:
        source = parse_source("acme", f'tenants = ["a.c"]\n{SOURCE}')
        assert mapped(source, {"type": "signup", "id": "1", "tenant": "a.c"})
        with pytest.raises(Rejected, match="may not name"):
            to_request(source, {"type": "signup", "id": "1", "tenant": "abc"}, None)


class TestSourceFiles:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (("stripe", "carrier-pigeon"), "scheme must be one of"),
            (("when =", "whenever ="), "when"),
            (("type == 'signup'", "type == "), "when"),
            (('"tenant"', "7"), "must be a JMESPath expression"),
            (('blueprint = "saas-subscriptions"', ""), "requires exactly one of"),
            (
                ('blueprint = "saas-subscriptions"', 'blueprint = "a"\ncustom_object_type = {}'),
                "requires exactly one of",
            ),
            (('blueprint = "saas-subscriptions"', "custom_object_type = { name = 'a' }"), "which require a blueprint"),
            (('scheme = "stripe"', 'scheme = "github"\ntolerance_seconds = 5'), "has no timestamp"),
            (('scheme = "stripe"', 'scheme = "stripe"\ntolerance_seconds = 0'), "greater than 0"),
            (('scheme = "stripe"', 'scheme = "svix"\nrequest_id = "id"'), "signs the delivery id"),
            (('scheme = "stripe"', 'scheme = "stripe"\ntakes_tests = "yes"'), "takes_tests"),
            (
                ('scheme = "stripe"', 'scheme = "stripe"\ntenants = "acme-("'),
                "tenants is not a valid regular expression",
            ),
            (
                ('scheme = "stripe"', 'scheme = "stripe"\ntenants = []'),
                "tenants must be a regular expression or a list",
            ),
            (('scheme = "stripe"', 'scheme = "stripe"\ntenants = 7'), "tenants must be a regular expression or a list"),
            (('scheme = "stripe"', 'scheme = "stripe"\ntenants = ["a", "b/c"]'), "an invalid tenant id: 'b/c'"),
            (("[events.signup]", "[rejected.thin]\nwhen = 'a'\n[events.signup]"), "rejected.thin.reason is missing"),
            (
                ("[events.signup]", "[rejected.thin]\nwhy = 'a'\n[events.signup]"),
                "rejected.thin.why is an unknown key; use one of when, reason",
            ),
            (("[events.signup]", "[events]"), "events"),
            (("[events.signup]", "[events.signup"), "line 3"),
        ],
    )
    def test_an_invalid_source_file_is_rejected_with_a_reason(self, change: tuple[str, str], reason: str) -> None:
        assert change[0] in SOURCE
        with pytest.raises(ValueError, match=reason):
            parse_source("acme", SOURCE.replace(*change))

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "missing",
            "../sources/stripe",
            "stripe.toml",
            "Stripe",
            "STRIPE",
            "fixtures",
            "a" * 65,
            "stripe\n",
            "stripe\x00",
        ],
    )
    def test_an_unknown_name_finds_no_source(self, name: str) -> None:
        assert SOURCES.find(name) is None

    def test_a_source_is_read_once(self, tmp_path: Path) -> None:
        (tmp_path / "acme.toml").write_text(SOURCE)
        sources = Sources(tmp_path)
        first = sources.find("acme")
        (tmp_path / "acme.toml").unlink()
        assert sources.find("acme") is first is not None


def test_the_pattern_of_identifiers_is_the_one_assumed_here() -> None:
    assert IDENTIFIER_PATTERN == r"^[A-Za-z0-9._:-]{1,128}$"
