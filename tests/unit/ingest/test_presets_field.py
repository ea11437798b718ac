"""The presets and what users of such software reported: other shapes of one signup, tests, tenants set by visitors."""

import json
from pathlib import Path
from typing import Any

import pytest

from provisioner.contract.outcome import Result
from provisioner.ingest.sources import FOLDER
from tests.webhook_senders import PRESETS, Upstream, fixture

FIXTURES = FOLDER / "fixtures"


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(FIXTURES).as_posix() for path in paths]


REJECTED = [path for path in sorted(FIXTURES.glob("*/rejected/*.json")) if path.parts[-3] in PRESETS]
IGNORED = [path for path in sorted(FIXTURES.glob("*/ignored/*.json")) if path.parts[-3] in PRESETS]

TENANTS = {
    "auth0/organization.created/qualified-type": "acme",
    "chargebee/subscription_created/backdated": "16BdDXSlbu4uT1Ee5",
    "chargebee/subscription_created/custom-field-of-the-customer": "16BdDXSlbu4uT1Ee5",
    "chargebee/subscription_created/hosted-page": "16BdDXSlbu4uT1Ee5",
    "chargebee/subscription_created/metadata-of-the-customer": "acme",
    "paddle/subscription.created/custom-data-of-the-checkout": "ctm_01hv6y1jedq4p1n0yqn5ba3ky4",
    "stripe/checkout.session.completed/connected-account": "acct_1SWjyRKmB2cFh9pT",
    "stripe/customer.created/connected-account": "acct_1SWjyRKmB2cFh9pT",
    "stripe/customer.subscription.created/account-as-customer": "acct_1SWk2eLkdIwHu7ix",
    "stripe/customer.subscription.created/connected-account": "acct_1SWjyRKmB2cFh9pT",
}


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def nothing_came_of_it(upstream: Upstream) -> bool:
    return not (upstream.ledger.requests or upstream.queue.waiting or upstream.topic.events)


def test_every_other_shape_of_a_preset_is_here() -> None:
    folders = (path for path in sorted(FIXTURES.glob("*/*/*.json")) if path not in {*REJECTED, *IGNORED})
    assert set(TENANTS) == {
        path.relative_to(FIXTURES).with_suffix("").as_posix() for path in folders if path.parts[-3] in PRESETS
    }


@pytest.mark.parametrize("name", TENANTS)
def test_another_shape_of_a_signup_names_its_tenant(upstream: Upstream, name: str) -> None:
    answer = upstream.deliver(name.partition("/")[0], (FIXTURES / f"{name}.json").read_bytes())
    assert (answer.status, answer.body["tenant"]) == (202, TENANTS[name])


@pytest.mark.parametrize("path", REJECTED, ids=names(REJECTED))
def test_a_signup_that_cannot_be_mapped_is_announced_once(upstream: Upstream, path: Path) -> None:
    answers = [upstream.deliver(path.parts[-3], path.read_bytes()) for _ in range(3)]
    assert {(answer.status, answer.kind) for answer in answers} == {(422, "invalid-event")}
    [(_, outcome)] = upstream.topic.events
    assert (outcome.result, outcome.tenant) == (Result.FAILED, "unknown")
    assert outcome.problem
    assert "cannot be mapped to a request" in outcome.problem.detail


@pytest.mark.parametrize("path", IGNORED, ids=names(IGNORED))
def test_a_test_of_a_sender_provisions_nothing(upstream: Upstream, path: Path) -> None:
    answer = upstream.deliver(path.parts[-3], path.read_bytes())
    assert (answer.status, answer.body["state"]) == (200, "ignored")
    assert "test event" in answer.body["reason"]
    assert nothing_came_of_it(upstream)


@pytest.mark.parametrize("kind", ["customer.created", "checkout.session.completed", "customer.subscription.created"])
def test_field_1_a_thin_event_says_which_payload_style_to_choose(upstream: Upstream, kind: str) -> None:
    event = json.loads((FIXTURES / "stripe" / "rejected" / "thin-event.json").read_bytes())
    answer = upstream.deliver("stripe", json.dumps(event | {"type": f"v1.{kind}"}).encode())
    assert answer.status == 422
    assert f"'v1.{kind}' cannot be mapped" in answer.body["detail"]
    assert "choose the payload style Snapshot" in answer.body["detail"]
    [(_, outcome)] = upstream.topic.events
    assert outcome.request_id == event["id"]


@pytest.mark.parametrize("kind", ["v1.invoice.paid", "v1.customer.updated", "v2.core.event_destination.ping"])
def test_field_1_a_thin_event_that_means_no_signup_is_ignored(upstream: Upstream, kind: str) -> None:
    event = json.loads((FIXTURES / "stripe" / "rejected" / "thin-event.json").read_bytes())
    assert upstream.deliver("stripe", json.dumps(event | {"type": kind}).encode()).status == 200
    assert nothing_came_of_it(upstream)


def test_field_1_a_thin_event_of_the_test_mode_is_ignored(upstream: Upstream) -> None:
    event = json.loads((FIXTURES / "stripe" / "rejected" / "thin-event.json").read_bytes())
    assert upstream.deliver("stripe", json.dumps(event | {"livemode": False}).encode()).status == 200
    assert nothing_came_of_it(upstream)


@pytest.mark.parametrize("kind", ["customer.created", "checkout.session.completed", "customer.subscription.created"])
def test_field_2_a_connected_account_names_the_tenant(upstream: Upstream, kind: str) -> None:
    event = json.loads(fixture("stripe", kind)) | {"account": "acct_1"}
    assert upstream.deliver("stripe", json.dumps(event).encode()).body["tenant"] == "acct_1"


def test_field_3_a_simulation_of_paddle_is_ignored(upstream: Upstream) -> None:
    for kind in ("customer.created", "subscription.created"):
        event = json.loads(fixture("paddle", kind))
        event |= {"event_id": "ntfsimevt_01j82zdgkehpt4ehhe2zs9kqfg", "notification_id": "ntfsimntf_01j82zdgr7gs3hv"}
        answer = upstream.deliver("paddle", json.dumps(event).encode())
        assert (answer.status, answer.body["state"]) == (200, "ignored")
    assert nothing_came_of_it(upstream)


def test_field_19_the_customers_metadata_name_the_tenant_of_a_subscription(upstream: Upstream) -> None:
    event = json.loads(fixture("chargebee", "subscription_created"))
    event["content"]["customer"]["meta_data"] = {"tenant_id": "acme"}
    assert upstream.deliver("chargebee", json.dumps(event).encode()).body["tenant"] == "acme"


VISITORS: list[tuple[str, str, dict[str, Any], str]] = [
    ("stripe", "checkout.session.completed", {"client_reference_id": "victim", "metadata": {}}, "cus_TTn5uYk0Qe4mZ1"),
    ("stripe", "checkout.session.completed", {"client_reference_id": "victim"}, "acme"),
    ("paddle", "subscription.created", {"custom_data": {"tenant_id": "victim"}}, "ctm_01hv6y1jedq4p1n0yqn5ba3ky4"),
]


@pytest.mark.parametrize(("source", "kind", "changes", "tenant"), VISITORS)
def test_hole_8_no_field_that_a_visitor_sets_names_the_tenant(
    upstream: Upstream, source: str, kind: str, changes: dict[str, Any], tenant: str
) -> None:
    event = json.loads(fixture(source, kind))
    target = event["data"]["object"] if source == "stripe" else event["data"]
    target |= changes
    assert upstream.deliver(source, json.dumps(event).encode()).body["tenant"] == tenant


def test_hole_8_a_guest_of_a_payment_link_names_no_tenant(upstream: Upstream) -> None:
    event = json.loads(fixture("stripe", "checkout.session.completed"))
    event["data"]["object"] |= {"client_reference_id": "victim", "metadata": {}, "customer": None}
    answer = upstream.deliver("stripe", json.dumps(event).encode())
    assert (answer.status, answer.kind) == (422, "invalid-event")
    [(_, outcome)] = upstream.topic.events
    assert outcome.tenant == "unknown"


@pytest.mark.parametrize("origin", ["hosted_page", "js_api", "portal", "api", "admin_console", "scheduled_job", None])
@pytest.mark.parametrize("kind", ["customer_created", "subscription_created"])
def test_hole_8_a_custom_field_that_a_customer_may_have_entered_names_no_tenant(
    upstream: Upstream, kind: str, origin: str | None
) -> None:
    """Chargebee keeps it on the customer, whose later events have other origins."""
    event = json.loads(fixture("chargebee", kind)) | {"source": origin}
    for item in event["content"].values():
        item["cf_tenant_id"] = "victim"
        item.pop("meta_data", None)
    assert upstream.deliver("chargebee", json.dumps(event).encode()).body["tenant"] == "16BdDXSlbu4uT1Ee5"


def test_hole_8_the_metadata_of_a_connected_account_names_no_tenant(upstream: Upstream) -> None:
    event = json.loads(fixture("stripe", "customer.created")) | {"account": "acct_1"}
    event["data"]["object"]["metadata"] = {"tenant_id": "victim"}
    assert upstream.deliver("stripe", json.dumps(event).encode()).body["tenant"] == "acct_1"
