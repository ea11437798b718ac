"""The webhooks handler: its responses, what it stores and publishes; and the senders' traps by their numbers.

The traps of headers alone are in test_signatures.py.
"""

import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from botocore.exceptions import ClientError

from infra.local.signing import signed_headers
from provisioner.contract.outcome import Outcome, Result, message_key
from provisioner.contract.request import MAX_BODY_BYTES, request_key
from provisioner.credentials.cache import SecretMissing, SecretUnreadable
from provisioner.ingest.signing_keys import MIN_REFETCH_SECONDS
from tests.unit.ingest.test_signatures import OTHER_SECRETS
from tests.unit.ingest.test_signing_keys import STATES
from tests.webhook_senders import EVENTS, SECRETS, Upstream, fixture, scheme_of

CUSTOMER = fixture("stripe", "customer.created")
EVENT_ID = "evt_1SWk2eLkdIwHu7ixJ0tXq3mA"


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def stripe(**changes: Any) -> bytes:
    return json.dumps(json.loads(CUSTOMER) | changes).encode()


def counted(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str | None]]:
    """(metric, source) of all that was counted."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return [
        (metric["Name"], line.get("source"))
        for line in lines
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    ]


def nothing_came_of_it(upstream: Upstream) -> bool:
    return not (upstream.ledger.requests or upstream.queue.waiting or upstream.topic.events)


def test_an_event_of_any_depth_is_rejected_and_announced_once() -> None:
    """One depth is just read, but not written one level deeper. It depends on the frames below this test."""
    for depth in (*range(9_850, 10_002), 100_000):
        upstream = Upstream()
        text = f'{{"id":"evt_1","type":"customer.created","livemode":true,"x":{"[" * depth}{"]" * depth}}}'
        assert [upstream.deliver("stripe", text.encode()).status for _ in range(2)] == [422, 422], depth
        assert len(upstream.topic.events) == 1


class TestTaken:
    @pytest.mark.parametrize(("source", "event"), EVENTS, ids=map("/".join, EVENTS))
    def test_a_signup_is_stored_and_queued_before_it_is_answered(
        self, upstream: Upstream, source: str, event: str
    ) -> None:
        answer = upstream.deliver(source, fixture(source, event))
        assert answer.status == 202
        [(record, request)] = upstream.ledger.requests.values()
        assert answer.body == {
            "id": record.id,
            "tenant": request.tenant,
            "request_id": request.request_id,
            "state": "accepted",
        }
        assert upstream.queue.waiting == [(json.loads(request.to_json()), request.tenant, 0)]
        assert upstream.topic.events == []

    @pytest.mark.parametrize(("source", "event"), EVENTS, ids=map("/".join, EVENTS))
    def test_trap_5_a_redelivery_is_the_same_request(
        self, upstream: Upstream, capsys: pytest.CaptureFixture[str], source: str, event: str
    ) -> None:
        answers = [upstream.deliver(source, fixture(source, event)) for _ in range(5)]
        assert {answer.status for answer in answers} == {202}
        assert all(answer.body == answers[0].body for answer in answers)
        assert len(upstream.ledger.requests) == len(upstream.queue.waiting) == 1
        assert counted(capsys) == [("Accepted", source), *[("Redelivered", source)] * 4]

    def test_trap_5_a_replay_after_days_is_still_known(self, upstream: Upstream) -> None:
        """Anyone who recorded a delivery without a timestamp can replay it at any time."""
        upstream.deliver("auth0", fixture("auth0", "organization.created"))
        upstream.clock.advance(80 * 86_400)
        assert upstream.deliver("auth0", fixture("auth0", "organization.created")).status == 202
        assert len(upstream.queue.waiting) == 1

    def test_trap_10_an_event_that_was_not_stored_can_be_sent_again(self, upstream: Upstream) -> None:
        failing = upstream.ledger.accept
        upstream.ledger.accept = _fails  # type: ignore[method-assign]
        answer = upstream.deliver("stripe", CUSTOMER)
        assert (answer.status, answer.kind) == (503, "unavailable")
        assert answer.headers["Retry-After"]
        upstream.ledger.accept = failing  # type: ignore[method-assign]
        assert upstream.deliver("stripe", CUSTOMER).status == 202
        assert len(upstream.queue.waiting) == 1

    def test_trap_10_a_stored_event_is_durable_without_the_queue(self, upstream: Upstream) -> None:
        """The sweeper puts unfinished requests of the ledger on the queue."""
        upstream.queue.fails = ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessage")
        assert upstream.deliver("stripe", CUSTOMER).status == 202
        assert len(upstream.ledger.requests) == 1

    def test_trap_11_no_delivery_is_lost_while_a_secret_is_rotated(self, upstream: Upstream) -> None:
        upstream.deliver("stripe", stripe(id="evt_1"))
        upstream.monotonic.advance(MIN_REFETCH_SECONDS)
        upstream.secrets.secrets["prefix/stripe"] = json.dumps({"secrets": ["whsec_new_0123456789", SECRETS["stripe"]]})
        assert upstream.deliver("stripe", stripe(id="evt_2"), secret="whsec_new_0123456789").status == 202
        assert upstream.deliver("stripe", stripe(id="evt_3")).status == 202

    def test_a_settled_request_is_not_shown_to_its_sender(self, upstream: Upstream) -> None:
        answer = upstream.deliver("stripe", CUSTOMER)
        record, _ = upstream.ledger.requests[answer.body["id"]]
        outcome = Outcome(
            tenant="acme", request_id=EVENT_ID, result=Result.CREATED, settled_at="2026-11-24T00:00:00+00:00"
        )
        upstream.ledger.settle(record, outcome)
        assert upstream.deliver("stripe", CUSTOMER).body == answer.body | {"state": "settled"}


class TestNotTaken:
    @pytest.mark.parametrize("source", SECRETS)
    def test_an_unsigned_delivery_is_rejected_without_a_hint(
        self, upstream: Upstream, capsys: pytest.CaptureFixture[str], source: str
    ) -> None:
        body = fixture(source, next(event for name, event in EVENTS if name == source))
        answers = [
            upstream.post(source, body, {}),
            upstream.post(source, b"", {}),
            upstream.post(source, b"no json", {"Authorization": ["Bearer unknown"]}),
            upstream.deliver(source, body, secret=OTHER_SECRETS[scheme_of(source)]),
        ]
        assert {answer.status for answer in answers} == {401}
        assert all(answer.body == answers[0].body for answer in answers)
        assert answers[0].kind == "invalid-signature"
        assert nothing_came_of_it(upstream)
        assert counted(capsys) == [("InvalidSignature", source)] * 4

    def test_a_changed_body_is_rejected(self, upstream: Upstream) -> None:
        def answer(change: Any) -> int:
            return upstream.deliver("stripe", CUSTOMER, change=change).status

        assert answer(lambda _headers: None) == 202
        body = CUSTOMER.replace(b'"tenant_id": "acme"', b'"tenant_id": "evil"')
        headers: dict[str, list[str]] = {}
        upstream.deliver("stripe", CUSTOMER, change=headers.update)
        assert upstream.post("stripe", CUSTOMER, headers).status == 202
        assert upstream.post("stripe", body, headers).status == 401

    def test_an_old_delivery_is_rejected(self, upstream: Upstream) -> None:
        headers: dict[str, list[str]] = {}
        upstream.deliver("stripe", stripe(id="evt_other"), change=headers.update)
        upstream.clock.advance(301)
        assert upstream.post("stripe", stripe(id="evt_other"), headers).status == 401

    def test_trap_4_no_header_names_tenant_or_event(self, upstream: Upstream) -> None:
        def lie(headers: dict[str, Any]) -> None:
            headers |= {"X-Tenant": ["evil"], "X-Shopify-Shop-Domain": ["evil"], "X-GitHub-Event": ["invoice.paid"]}
            headers |= {"X-Stripe-Event": ["invoice.paid"], "Webhook-Id": ["msg_evil"], "Idempotency-Key": ["evil"]}

        answer = upstream.deliver("stripe", CUSTOMER, change=lie)
        assert (answer.status, answer.body["tenant"], answer.body["request_id"]) == (202, "acme", EVENT_ID)

    def test_trap_6_a_repeated_signature_header_is_rejected(self, upstream: Upstream) -> None:
        def twice(headers: dict[str, Any]) -> None:
            headers["stripe-signature"] = list(headers["Stripe-Signature"])

        assert upstream.deliver("stripe", CUSTOMER, change=twice).status == 401

    @pytest.mark.parametrize(
        "source", ["unknown", "", "Stripe", "../stripe", "stripe.toml", "fixtures", "a" * 5000, "\ud800"]
    )
    def test_an_unknown_source_is_not_found(
        self, upstream: Upstream, capsys: pytest.CaptureFixture[str], source: str
    ) -> None:
        answer = upstream.post(source, CUSTOMER, {})
        assert (answer.status, answer.kind) == (404, "source-not-found")
        assert nothing_came_of_it(upstream)
        assert counted(capsys) == [("SourceNotFound", None)]

    def test_a_source_without_a_secret_is_not_found(self, upstream: Upstream) -> None:
        del upstream.secrets.secrets["prefix/stripe"]
        answer = upstream.deliver("stripe", CUSTOMER)
        assert (answer.status, answer.kind) == (404, "source-not-found")

    @pytest.mark.parametrize("secret", ["s3cret", '{"secrets": []}', '{"secrets": [7]}'])
    def test_silent_an_unreadable_secret_is_answered_5xx_and_not_shown(
        self, upstream: Upstream, capfd: pytest.CaptureFixture[str], secret: str
    ) -> None:
        upstream.secrets.secrets["prefix/stripe"] = secret
        answer = upstream.deliver("stripe", CUSTOMER)
        assert (answer.status, answer.kind) == (503, "unavailable")
        assert "s3cret" not in json.dumps(answer.body) + "".join(capfd.readouterr())

    @pytest.mark.parametrize("source", ["nope", "stripe", "Stripe/../x"])
    def test_hole_9_a_strangers_unknown_sources_cost_no_read_and_no_traceback(
        self, upstream: Upstream, caplog: pytest.LogCaptureFixture, source: str
    ) -> None:
        """The file of the source is looked for first. A source without a secret costs one read in 30 s."""
        del upstream.secrets.secrets["prefix/stripe"]
        for _ in range(20):
            assert upstream.post(source, b"{}", {}).status == 404
        assert upstream.secrets.reads == (source == "stripe")
        assert [record for record in caplog.records if record.exc_info] == []

    @pytest.mark.parametrize(("state", "kind"), STATES.values(), ids=STATES)
    def test_hole_9_strangers_cost_one_read_in_30_s_whatever_the_secret_is(
        self,
        upstream: Upstream,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
        state: Exception | str,
        kind: type[Exception],
    ) -> None:
        if isinstance(state, str):
            upstream.secrets.secrets["prefix/stripe"] = state
        else:
            upstream.secrets.fails = state
        expected = (404, "source-not-found") if kind is SecretMissing else (503, "unavailable")
        answers = [upstream.post("stripe", b"{}", {}) for _ in range(20)]
        assert {(answer.status, answer.kind) for answer in answers} == {expected}
        assert upstream.secrets.reads == 1
        assert [record for record in caplog.records if record.exc_info] == []
        assert "s3cret" not in caplog.text + json.dumps([answer.body for answer in answers])
        reports = [name for name, _ in counted(capsys) if name == "SecretEntryUnusable"]
        assert len(reports) == caplog.messages.count("a secret is unusable") == (kind is SecretUnreadable)

    def test_hole_9_strangers_cost_one_read_in_30_s_of_a_good_secret(self, upstream: Upstream) -> None:
        assert {upstream.post("stripe", b"{}", {}).status for _ in range(20)} == {401}
        upstream.monotonic.advance(MIN_REFETCH_SECONDS)
        assert {upstream.post("stripe", b"{}", {}).status for _ in range(20)} == {401}
        assert upstream.secrets.reads == 2

    @pytest.mark.parametrize("order", [1, -1])
    def test_field_6_a_delivery_signed_with_a_good_secret_is_taken(
        self, upstream: Upstream, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], order: int
    ) -> None:
        bad = f"v1,{SECRETS['clerk']}"
        secrets = [f" {SECRETS['clerk']}\n", bad][::order]
        upstream.secrets.secrets["prefix/clerk"] = json.dumps({"secrets": secrets})
        answers = [upstream.deliver("clerk", fixture("clerk", "organization.created")) for _ in range(2)]
        assert {answer.status for answer in answers} == {202}
        [told] = [record for record in caplog.records if record.message == "a secret is unusable"]
        assert (told.levelname, vars(told)["source"]) == ("ERROR", "clerk")
        assert vars(told)["reason"].startswith(f"secrets[{secrets.index(bad)}] begins with v1,")
        assert ("SecretEntryUnusable", "clerk") in counted(capsys)
        assert SECRETS["clerk"] not in str([vars(record) for record in caplog.records])

    def test_a_body_is_bounded(self, upstream: Upstream) -> None:
        body = b'{"a": "' + b"x" * MAX_BODY_BYTES + b'"}'
        answer = upstream.deliver("stripe", body)
        assert (answer.status, answer.kind) == (413, "body-too-large")
        assert nothing_came_of_it(upstream)
        largest = stripe(more="")
        assert upstream.deliver("stripe", stripe(more="x" * (MAX_BODY_BYTES - len(largest)))).status == 202


class TestForms:
    """GitHub's default content type is application/x-www-form-urlencoded."""

    @pytest.mark.parametrize("encode", [quote_plus, quote])
    def test_field_20_the_payload_of_a_form_is_the_event(self, upstream: Upstream, encode: Any) -> None:
        text = CUSTOMER.decode().replace("Acme", "Ümläut & Söhne + 1")
        form = f"payload={encode(text)}&other=1".encode()

        assert upstream.deliver("stripe", form).status == 202
        assert upstream.deliver("stripe", text.encode()).status == 202
        assert len(upstream.ledger.requests) == 1

    def test_field_20_the_form_is_signed_as_it_was_sent(self, upstream: Upstream) -> None:
        form = b"payload=" + quote_plus(CUSTOMER).encode()
        signed = signed_headers(
            scheme_of("stripe"), [SECRETS["stripe"]], CUSTOMER, now=upstream.clock(), delivery_id=""
        )
        headers = {name: [value] for name, value in signed.items()}

        assert upstream.post("stripe", form, headers).status == 401

    @pytest.mark.parametrize("body", [b"payload=", b"payload=%", b"payload=%FF", b"payload=&", b"payload", b"other=1"])
    def test_field_20_a_form_without_an_event_is_rejected(self, upstream: Upstream, body: bytes) -> None:
        assert upstream.deliver("stripe", body).kind == "invalid-event"


class TestIgnored:
    def test_trap_8_an_event_that_means_no_signup_is_answered_with_success(
        self, upstream: Upstream, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer = upstream.deliver("stripe", stripe(type="invoice.paid"))
        assert answer.status == 200
        assert answer.body == {
            "state": "ignored",
            "reason": "'invoice.paid' is not mapped to a request",
        }
        assert nothing_came_of_it(upstream)
        assert counted(capsys) == [("Ignored", "stripe")]

    def test_trap_7_a_test_event_provisions_nothing(self, upstream: Upstream) -> None:
        answer = upstream.deliver("stripe", stripe(livemode=False))
        assert (answer.status, answer.body["state"]) == (200, "ignored")
        assert "test event" in answer.body["reason"]
        assert nothing_came_of_it(upstream)


class TestBroken:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"", "invalid JSON"),
            (b"{", "invalid JSON"),
            (b"\xff", "invalid JSON"),
            (b"[" * 10_000, "invalid JSON"),
            (b'{"type": NaN}', "invalid JSON"),
            (b'{"a": 1, "a": 2}', "invalid JSON"),
            (b"[]", "must be a JSON object"),
            (b"7", "must be a JSON object"),
            (stripe(data={"object": {}}), "has no tenant"),
            (stripe(data={"object": {"id": "a/b"}}), "has no tenant"),
            (stripe(id=None), "has no id"),
        ],
    )
    def test_a_verified_event_that_cannot_be_mapped_is_announced(
        self, upstream: Upstream, capsys: pytest.CaptureFixture[str], body: bytes, reason: str
    ) -> None:
        answers = [upstream.deliver("stripe", body) for _ in range(3)]
        assert {(answer.status, answer.kind) for answer in answers} == {(422, "invalid-event")}
        assert reason in answers[0].body["detail"]
        [(key, outcome)] = upstream.topic.events
        assert (outcome.result, outcome.tenant, outcome.attempts) == (Result.FAILED, "unknown", 0)
        assert outcome.problem
        assert reason in outcome.problem.detail
        assert list(upstream.rejected.known) == [key] == [message_key(f"stripe/{outcome.request_id}")]
        assert not upstream.ledger.requests
        assert counted(capsys) == [("EventsRejected", "stripe")] * 3

    def test_an_event_whose_id_can_be_read_is_announced_under_it(self, upstream: Upstream) -> None:
        upstream.deliver("stripe", stripe(data={"object": {}}))
        [(_, outcome)] = upstream.topic.events
        assert outcome.request_id == EVENT_ID

    def test_an_event_that_could_not_be_announced_is_announced_when_it_comes_again(self, upstream: Upstream) -> None:
        upstream.topic.fails = ClientError({"Error": {"Code": "InternalError"}}, "Publish")
        assert upstream.deliver("stripe", b"{").status == 503
        upstream.topic.fails = None
        assert upstream.deliver("stripe", b"{").status == 422
        assert len(upstream.topic.events) == 1

    @pytest.mark.parametrize("escape", [r"\ud800", r"x\udc88y"])
    @pytest.mark.parametrize(
        ("place", "status"),
        [("tenant_id", 422), ("unrelated", 202), ("type", 200), ("id", 202)],
    )
    def test_half_a_surrogate_pair_never_makes_the_sender_retry_for_days(
        self, upstream: Upstream, place: str, status: int, escape: str
    ) -> None:
        """As reported to fazer-ai/agents (218): the row cannot be written, and each retry gets a 500."""
        event = json.loads(CUSTOMER)
        where = event if place in event else event["data"]["object"]["metadata"]
        body = json.dumps(event | ({place: "@@"} if place in event else {}))
        if place not in event:
            where[place] = "@@"
            body = json.dumps(event)
        for _ in range(2):
            answer = upstream.deliver("stripe", body.replace("@@", escape).encode())
            assert answer.status == status

    def test_a_known_event_with_other_content_is_announced_under_an_id_of_its_own(self, upstream: Upstream) -> None:
        upstream.deliver("stripe", CUSTOMER)
        answer = upstream.deliver(
            "stripe", stripe(data={"object": {"id": "cus_1", "metadata": {"tenant_id": "acme-2"}}})
        )
        assert (answer.status, answer.kind) == (422, "request-conflict")
        [(key, outcome)] = upstream.topic.events
        assert (outcome.tenant, outcome.request_id) == ("acme-2", EVENT_ID)
        assert key not in {request_key("acme", EVENT_ID), request_key("acme-2", EVENT_ID)}

    @pytest.mark.parametrize("status", [410, 400, 403])
    def test_trap_9_nothing_ever_ends_a_subscription(self, upstream: Upstream, status: int) -> None:
        bodies = [CUSTOMER, b"{", stripe(type="invoice.paid"), stripe(id=None), b"x" * (MAX_BODY_BYTES + 1)]
        answers = [upstream.deliver("stripe", body) for body in bodies] + [upstream.post("unknown", b"", {})]
        assert status not in {answer.status for answer in answers}


def _fails(*_arguments: object, **_named: object) -> Any:
    raise ClientError({"Error": {"Code": "InternalServerError"}}, "PutItem")
