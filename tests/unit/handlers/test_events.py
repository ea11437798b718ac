"""The events handler: requests on a bus, and partners' events, through the same mapping as webhooks."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.contract import blueprints
from provisioner.contract.outcome import Outcome, Result, message_key
from provisioner.contract.request import request_key
from provisioner.handlers.events import Events
from tests.handlers import blueprint_that_requires
from tests.webhook_senders import Upstream, fixture

REQUEST = {"tenant": "acme", "request_id": "signup-1", "custom_object_type": {"name": "Order", "name_plural": "Orders"}}
STRIPE_BUS = "aws.partner/stripe.com/ed_test_61RlZ"
AUTH0_BUS = "aws.partner/auth0.com/my-tenant-1c1a/auth0.events"


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def event(detail: Any, source: str = "com.example.signups", kind: str = "Provisioning Requested") -> dict[str, Any]:
    """As EventBridge hands it over."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": kind,
        "source": source,
        "account": "111122223333",
        "time": "2026-11-24T00:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    }


def take(upstream: Upstream, *events: dict[str, Any]) -> None:
    for each in events:
        Events(upstream.ingest, "close-provisioner/tenants").handle(each)


def test_a_request_on_the_bus_is_stored_and_queued_once(upstream: Upstream) -> None:
    take(upstream, event(REQUEST), event(REQUEST))
    assert list(upstream.ledger.requests) == [request_key("acme", "signup-1")]
    assert [(tenant, body["request_id"]) for body, tenant, _ in upstream.queue.waiting] == [("acme", "signup-1")]


def test_a_request_without_an_id_takes_the_id_of_its_event(upstream: Upstream) -> None:
    without = {key: value for key, value in REQUEST.items() if key != "request_id"}
    take(upstream, event(without), event(without))
    [(record, _)] = upstream.ledger.requests.values()
    assert record.request_id == event(without)["id"]


@pytest.mark.parametrize(
    ("source", "name", "bus", "kind"),
    [
        ("stripe", "customer.created", STRIPE_BUS, "customer.created"),
        ("stripe", "customer.subscription.created", STRIPE_BUS, "customer.subscription.created"),
        ("auth0", "organization.created", AUTH0_BUS, "organization.created"),
    ],
)
def test_an_event_is_the_same_request_on_a_bus_and_as_a_webhook(
    upstream: Upstream, source: str, name: str, bus: str, kind: str
) -> None:
    take(upstream, event(json.loads(fixture(source, name)), bus, kind))
    assert len(upstream.queue.waiting) == 1
    assert upstream.deliver(source, fixture(source, name)).status == 202
    assert len(upstream.ledger.requests) == len(upstream.queue.waiting) == 1


@pytest.mark.parametrize(
    ("detail", "bus"),
    [
        (json.loads(fixture("stripe", "customer.created")) | {"type": "invoice.paid"}, STRIPE_BUS),
        (json.loads(fixture("stripe", "customer.created")) | {"livemode": False}, STRIPE_BUS),
        (json.loads(fixture("stripe", "customer.created")), AUTH0_BUS),
        (json.loads(fixture("stripe", "customer.created")), "aws.partner/stripe.com.evil/x"),
        (json.loads(fixture("stripe", "customer.created")), "com.example.signups"),
    ],
)
def test_an_event_that_means_no_signup_is_ignored(upstream: Upstream, detail: Any, bus: str) -> None:
    take(upstream, event(detail, bus, "customer.created"))
    assert upstream.ledger.requests == {}
    assert upstream.queue.waiting == []
    assert upstream.topic.events == []


@pytest.mark.parametrize("bus", [STRIPE_BUS, AUTH0_BUS, "aws.partner/another.example/1"])
def test_a_partner_makes_no_request_that_its_mapping_does_not(upstream: Upstream, bus: str) -> None:
    """The rules of its bus take any detail-type."""
    take(upstream, event(REQUEST, bus))
    assert upstream.ledger.requests == {}
    assert upstream.queue.waiting == []


def test_a_partners_event_is_mapped_whatever_its_detail_type_is(upstream: Upstream) -> None:
    signup = json.loads(fixture("stripe", "customer.created"))
    take(upstream, event(signup, STRIPE_BUS), event(signup | {"id": "evt_2", "livemode": False}, STRIPE_BUS))
    [(record, _)] = upstream.ledger.requests.values()
    assert record.request_id == signup["id"]


def of_size(description: object) -> dict[str, Any]:
    signup: dict[str, Any] = json.loads(fixture("stripe", "customer.created"))
    signup["data"]["object"]["description"] = description
    return signup


@pytest.mark.parametrize(
    "description", ["\u540d" * 80_000, "\U0001f600" * 60_000, [0] * 125_000, "a\\\ud800", "\udc00"]
)
def test_an_event_may_be_as_large_on_a_bus_as_in_a_webhook(upstream: Upstream, description: object) -> None:
    """Its text is neither escaped nor spaced, but for half of a surrogate pair, which UTF-8 cannot hold."""
    take(upstream, event(of_size(description), STRIPE_BUS, "customer.created"))
    assert len(upstream.ledger.requests) == 1
    as_sent = json.dumps(of_size(description), ensure_ascii=False, separators=(",", ":"))
    assert upstream.deliver("stripe", as_sent.encode(errors="backslashreplace")).status == 202
    assert len(upstream.queue.waiting) == 1


def test_a_larger_event_is_rejected_as_too_large(upstream: Upstream) -> None:
    take(upstream, event(of_size("\u540d" * 90_000), STRIPE_BUS, "customer.created"))
    [(_, outcome)] = upstream.topic.events
    assert outcome.problem
    assert outcome.problem.type.endswith("body-too-large")


@pytest.mark.parametrize("depth", [9_000, 9_996, 9_997, 9_998, 20_000])
def test_an_event_of_any_depth_is_taken_or_announced_as_failed_once(upstream: Upstream, depth: int) -> None:
    detail: dict[str, Any] = {"id": "evt_1", "type": "customer.created", "livemode": True, "x": nested(depth)}
    take(upstream, event(detail, STRIPE_BUS, "customer.created"), event(detail, STRIPE_BUS, "customer.created"))
    [(_, outcome)] = upstream.topic.events
    assert outcome.result == Result.FAILED


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth - 1):
        inner = [inner]
    return inner


@pytest.mark.parametrize("source", [STRIPE_BUS, "com.example.signups"])
def test_only_secrets_manager_says_that_a_secret_was_stored(upstream: Upstream, source: str) -> None:
    upstream.waitlist.add("acme", request_key("acme", "signup-1"))
    take(upstream, called("PutSecretValue", secretId=ARN) | {"source": source})
    assert upstream.waitlist.read("acme").request_keys == [request_key("acme", "signup-1")]


@pytest.mark.parametrize(
    ("asked", "tenant", "request_id"),
    [
        (event(REQUEST | {"color": "blue"}), "acme", "signup-1"),
        (event(REQUEST | {"tenant": "a/b"}), "unknown", "signup-1"),
        (event({}), "default", event({})["id"]),
        (event({"id": "evt_1", "type": "customer.created", "livemode": True}, STRIPE_BUS, "x"), "unknown", "evt_1"),
    ],
)
def test_an_invalid_event_is_announced_as_failed_once(
    upstream: Upstream, asked: dict[str, Any], tenant: str, request_id: str
) -> None:
    take(upstream, asked, asked)
    [(key, outcome)] = upstream.topic.events
    assert (outcome.tenant, outcome.request_id, outcome.result) == (tenant, request_id, Result.FAILED)
    assert key != message_key(request_id)
    assert not upstream.ledger.requests


@pytest.mark.parametrize("bus", ["com.example.signups", STRIPE_BUS])
@pytest.mark.parametrize("detail", ["text", 7, None, [REQUEST]])
def test_field_15_an_event_whose_detail_is_no_object_is_announced_as_failed(
    upstream: Upstream, detail: Any, bus: str
) -> None:
    asked = event(detail, bus, *(["customer.created"] if bus == STRIPE_BUS else []))
    take(upstream, asked, asked)

    [(_, outcome)] = upstream.topic.events
    assert (outcome.tenant, outcome.result) == ("unknown", Result.FAILED)
    assert outcome.problem
    assert "must be a JSON object" in outcome.problem.detail


def test_field_15_a_call_without_an_object_as_its_detail_is_ignored(upstream: Upstream) -> None:
    take(upstream, event(None, "aws.secretsmanager", "AWS API Call via CloudTrail"))

    assert upstream.topic.events == []


def test_hole_5_a_blueprint_that_changed_since_changes_nothing(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = event({"tenant": "acme", "blueprint": "account", "values": {"product": "Prisma"}})
    take(upstream, asked)
    monkeypatch.setattr(blueprints, "load", blueprint_that_requires("region"))
    take(upstream, asked)

    assert upstream.topic.events == []
    assert len(upstream.queue.waiting) == 1


def test_a_reused_request_id_is_announced_under_an_id_of_its_own(upstream: Upstream) -> None:
    take(upstream, event(REQUEST), event(REQUEST | {"if_exists": "fail"}))
    [(_, outcome)] = upstream.topic.events
    assert outcome.problem
    assert outcome.problem.type.endswith("request-conflict")
    assert len(upstream.ledger.requests) == 1


def test_an_event_that_cannot_be_stored_is_retried_by_lambda(upstream: Upstream) -> None:
    upstream.topic.fails = ClientError({"Error": {"Code": "InternalError"}}, "Publish")
    with pytest.raises(ClientError):
        take(upstream, event({}))


def called(call: str, /, **parameters: Any) -> dict[str, Any]:
    """A call to Secrets Manager, as CloudTrail tells it."""
    detail = {
        "eventVersion": "1.11",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": call,
        "awsRegion": "eu-central-1",
        "requestParameters": parameters or None,
        "responseElements": None,
    }
    return event(detail, "aws.secretsmanager", "AWS API Call via CloudTrail")


ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:close-provisioner/tenants/acme-a1B2c3"


@pytest.mark.parametrize(
    "call",
    [
        called("CreateSecret", name="close-provisioner/tenants/acme", clientRequestToken="1"),
        called("PutSecretValue", secretId="close-provisioner/tenants/acme"),
        called("PutSecretValue", secretId=ARN),
        called("PutSecretValue", secretId=ARN[:-7]),
        called("UpdateSecret", secretId=ARN),
        called("RestoreSecret", secretId=ARN),
    ],
)
def test_waiting_requests_resume_when_their_tenants_secret_is_stored(upstream: Upstream, call: dict[str, Any]) -> None:
    for request_id, tenant in (("1", "acme"), ("2", "acme"), ("3", "globex")):
        take(upstream, event(REQUEST | {"request_id": request_id, "tenant": tenant}))
        upstream.waitlist.add(tenant, request_key(tenant, request_id))
    upstream.queue.waiting.clear()
    take(upstream, call, call)
    assert sorted(body["request_id"] for body, _, _ in upstream.queue.waiting) == ["1", "2"]
    assert {delay for _, _, delay in upstream.queue.waiting} == {0}
    assert upstream.waitlist.read("globex").request_keys == [request_key("globex", "3")]


@pytest.mark.parametrize(
    "call",
    [
        called("CreateSecret", name="close-provisioner/sources/acme"),
        called("CreateSecret", name="another/close-provisioner/tenants/acme"),
        called("CreateSecret", name="close-provisioner/tenants/acme/more"),
        called("DeleteSecret", secretId=ARN),
        called("GetSecretValue", secretId=ARN),
        called("CreateSecret"),
        called("CreateSecret", name=None),
    ],
)
def test_other_calls_resume_no_request(upstream: Upstream, call: dict[str, Any]) -> None:
    take(upstream, event(REQUEST))
    upstream.waitlist.add("acme", request_key("acme", "signup-1"))
    upstream.queue.waiting.clear()
    take(upstream, call)
    failed = called("PutSecretValue", secretId=ARN)
    failed["detail"]["errorCode"] = "AccessDenied"
    take(upstream, failed)
    assert upstream.queue.waiting == []


def test_a_settled_or_expired_request_is_not_resumed(upstream: Upstream) -> None:
    take(upstream, event(REQUEST))
    record, _ = upstream.ledger.requests[request_key("acme", "signup-1")]
    outcome = Outcome(
        tenant="acme", request_id="signup-1", result=Result.CREATED, settled_at="2026-11-24T00:00:00+00:00"
    )
    upstream.ledger.settle(record, outcome)
    upstream.queue.waiting.clear()
    for key in (record.id, "0" * 32):
        upstream.waitlist.add("acme", key)
    take(upstream, called("PutSecretValue", secretId=ARN))
    assert upstream.queue.waiting == []
    assert upstream.waitlist.read("acme").request_keys == []


def test_hole_10_no_text_of_the_bus_is_a_dimension_of_a_metric(
    upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    signup = json.loads(fixture("stripe", "customer.created"))
    take(upstream, event(REQUEST, "com.example.one"), event({}, "com.example.two"), event(REQUEST, "x" * 256))
    take(
        upstream, event(signup, STRIPE_BUS, "customer.created"), event(signup, "com.example.three", "customer.created")
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [line["source"] for line in lines] == ["eventbridge", "eventbridge", "eventbridge", "stripe", "unknown"]
