"""The worker: the result of each message of a batch."""

import json
import threading
import tracemalloc
from io import StringIO
from typing import Any

import pytest

from provisioner.contract import blueprints
from provisioner.contract.errors import ProblemType, Rejected, Unavailable
from provisioner.contract.outcome import message_key
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.validation import parse_request
from provisioner.handlers.worker import MESSAGE_SECONDS, Worker
from provisioner.ledger.models import RequestRecord
from provisioner.messaging.envelopes import request_in
from tests.close import LOST, LOST_BEFORE
from tests.fakes import a_request
from tests.handlers import HandlerWorld, blueprint_that_requires


def body(request_id: str | None = "1", name: str = "Account", **further: Any) -> str:
    document = {"tenant": "acme", "custom_object_type": {"name": name, "name_plural": f"{name}s"}, **further}
    return json.dumps(document if request_id is None else {"request_id": request_id, **document})


def record(text: str, message_id: str = "m1", receive_count: int = 1) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": f"handle of {message_id}",
        "body": text,
        "attributes": {"ApproximateReceiveCount": str(receive_count), "SentTimestamp": "1800000000000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def sent_by_us(text: str, message_id: str, deferrals: int, receive_count: int = 1) -> dict[str, Any]:
    attributes = {"deferrals": {"stringValue": str(deferrals), "dataType": "Number"}}
    return record(text, message_id, receive_count) | {"messageAttributes": attributes}


@pytest.fixture
def world() -> HandlerWorld:
    return HandlerWorld()


def work(world: HandlerWorld, *records: dict[str, Any], time_left: float = 60) -> list[str]:
    """Ids of the messages to be delivered again."""
    answer = Worker(world.service).work(records, lambda: time_left)
    assert answer.keys() == {"batchItemFailures"}
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def results(world: HandlerWorld) -> list[tuple[str, str]]:
    return [(outcome.request_id, outcome.result) for _, outcome in world.topic.events]


class TestSettled:
    def test_a_message_is_acknowledged_when_its_type_is_created(self, world: HandlerWorld) -> None:
        assert work(world, record(body())) == []
        assert (results(world), world.close.names) == ([("1", "created")], ["Account"])
        assert (world.queue.waiting, world.queue.dead, world.queue.hidden) == ([], [], [])

    def test_the_message_id_stands_in_for_a_request_id(self, world: HandlerWorld) -> None:
        work(world, record(body(None), "4a7e5f5b-5f2d-4b8e-9a44-7c35b8e0a111"))

        assert results(world) == [("4a7e5f5b-5f2d-4b8e-9a44-7c35b8e0a111", "created")]

    def test_a_message_without_a_tenant_is_for_the_default_one(self, world: HandlerWorld) -> None:
        document = json.loads(body())
        del document["tenant"]

        work(world, record(json.dumps(document)))

        assert world.topic.events[0][1].tenant == "default"

    def test_a_message_delivered_twice_is_announced_once(self, world: HandlerWorld) -> None:
        work(world, record(body()), record(body(), "m2"))
        work(world, record(body()))

        assert (results(world), world.close.names) == ([("1", "created")], ["Account"])

    def test_a_missed_announcement_is_repeated(self, world: HandlerWorld) -> None:
        world.topic.fails = RuntimeError("SNS is down")
        assert work(world, record(body())) == ["m1"]

        world.topic.fails = None
        assert work(world, record(body())) == []
        assert results(world) == [("1", "created")]

    def test_final_a_failure_is_acknowledged(self, world: HandlerWorld) -> None:
        world.close.faults = [Rejected(ProblemType.PLAN_LIMIT, "no", close_status=402)]

        assert work(world, record(body())) == []
        assert results(world) == [("1", "failed")]

    def test_final_an_unknown_tenant_fails(self, world: HandlerWorld) -> None:
        assert work(world, record(body(tenant="initech"))) == []

        [(event_id, outcome)] = world.topic.events
        assert event_id == a_request("1", tenant="initech").id
        assert (outcome.result, outcome.problem and outcome.problem.status) == ("failed", 404)


class TestBatch:
    def test_one_bad_message_skips_no_other(self, world: HandlerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        accept = world.ledger.accept

        def breaks_on_one(request: ProvisioningRequest, **further: Any) -> RequestRecord:
            if request.request_id == "2":
                raise RuntimeError("boom")
            return accept(request, **further)

        monkeypatch.setattr(world.ledger, "accept", breaks_on_one)
        texts = [body("1"), body("2", "Deal"), "{", body("4", "Lead")]

        again = work(world, *(record(text, f"m{number}") for number, text in enumerate(texts, start=1)))

        assert again == ["m2"]
        assert world.close.names == ["Account", "Lead"]
        assert [message_id for _, _, message_id in world.queue.dead] == ["m3"]

    def test_one_read_of_the_list_serves_a_tenant(self, world: HandlerWorld) -> None:
        work(world, *(record(body(f"{number}", f"Type {number}"), f"m{number}") for number in range(10)))

        assert [request.method for request in world.seen].count("GET") == 1
        assert len(world.close.names) == 10

    def test_copies_in_a_batch_cost_one_call_to_the_ledger_each(
        self, world: HandlerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        accept, calls = world.ledger.accept, []

        def counted(request: ProvisioningRequest, **further: Any) -> RequestRecord:
            calls.append(request.id)
            return accept(request, **further)

        monkeypatch.setattr(world.ledger, "accept", counted)
        work(world, *(record(body("1"), f"m{number}") for number in range(10)))

        assert len(calls) == 10
        assert results(world) == [("1", "created")]

    def test_another_content_under_the_same_id_in_a_batch_is_dead_lettered(self, world: HandlerWorld) -> None:
        assert work(world, record(body("1")), record(body("1", "Deal"), "m2")) == []

        assert [message_id for _, _, message_id in world.queue.dead] == ["m2"]
        assert world.close.names == ["Account"]

    def test_equal_types_in_a_batch_are_created_once(self, world: HandlerWorld) -> None:
        work(world, *(record(body(f"{number}", name), f"m{number}") for number, name in enumerate(["A", "a", " A "])))

        assert world.close.names == ["A"]
        assert results(world) == [("0", "created"), ("1", "adopted"), ("2", "adopted")]  # another plural

    def test_fair_tenants_go_side_by_side(self, world: HandlerWorld) -> None:
        """Ten tenants meet at Close: none is let go before all are there."""
        names = [f"tenant-{number}" for number in range(10)]
        world.tenants.known.update(names)
        meeting = threading.Barrier(10, timeout=5)
        world.close.before_list = meeting.wait

        again = work(world, *(record(body("1", name, tenant=name), name) for name in names))

        assert again == []
        assert sorted(world.close.names) == names

    def test_fair_a_tenant_in_trouble_holds_up_no_other(self, world: HandlerWorld) -> None:
        world.ledger.pause("orga_acme", world.clock() + 600)

        work(world, record(body("1"), "m1"), record(body("2", tenant="globex"), "m2"))

        assert results(world) == [("2", "created")]
        assert [(tenant, delay) for _, tenant, delay in world.queue.waiting] == [("acme", 600)]

    def test_polite_a_429_holds_for_the_rest_of_the_batch(self, world: HandlerWorld) -> None:
        world.ledger.pause_tenant("acme", world.clock() + 17)  # met before the organization was known

        work(world, record(body("1"), "m1"), record(body("2", "Deal"), "m2"))

        assert (world.seen, len(world.queue.waiting)) == ([], 2)

    def test_a_run_with_little_time_left_starts_no_request(self, world: HandlerWorld) -> None:
        assert work(world, record(body()), time_left=MESSAGE_SECONDS - 1) == []
        assert (world.seen, results(world)) == ([], [])
        assert world.queue.waiting == [(json.loads(body()), "acme", 0)]


class TestDeferrals:
    def test_a_deferral_uses_up_no_receive(self, world: HandlerWorld) -> None:
        world.close.faults = [LOST]

        assert work(world, record(body(None), "m1")) == []
        [(copy, tenant, delay)] = world.queue.waiting
        assert (copy["request_id"], tenant, delay) == ("m1", "acme", 60)

    def test_the_copy_is_the_same_request(self, world: HandlerWorld) -> None:
        world.close.faults = [LOST]
        work(world, record(body(None), "m1"))
        world.clock.advance(61)

        work(world, record(json.dumps(world.queue.waiting[0][0]), "m2"))

        assert (results(world), world.close.names) == ([("m1", "recovered")], ["Account"])

    def test_only_one_of_two_messages_of_a_request_is_sent_on(self, world: HandlerWorld) -> None:
        """The fallback may arrive while the request waits: if both were sent on, they would circulate forever."""
        world.close.list_fails = Unavailable("500")
        work(world, sent_by_us(body(), "m1", deferrals=0))
        assert world.queue.deferrals == [1]

        assert work(world, sent_by_us(body(), "m2", deferrals=0)) == []
        assert world.queue.deferrals == [1]
        assert work(world, sent_by_us(body(), "m3", deferrals=1)) == []
        assert world.queue.deferrals == [1, 2]

    def test_a_redelivered_message_is_worked_on(self, world: HandlerWorld) -> None:
        """Its first receiver may have died after it counted the deferral."""
        world.close.list_fails = Unavailable("500")
        work(world, sent_by_us(body(), "m1", deferrals=0))

        assert work(world, sent_by_us(body(), "m1", deferrals=0, receive_count=2)) == []
        assert world.queue.deferrals == [1, 2]

    def test_a_redelivered_message_that_is_put_back_has_the_ledgers_count(self, world: HandlerWorld) -> None:
        """Otherwise its copy would count as superseded, while no other message carries the request on."""
        record = world.ledger.accept(a_request())
        world.ledger.record_deferral(record, 5, "429")  # by its first receiver, which died before it sent the copy

        assert work(world, sent_by_us(a_request().to_json(), "m1", deferrals=0, receive_count=2), time_left=5) == []
        assert world.queue.deferrals == [1]
        [(copy, _, _)] = world.queue.waiting
        assert work(world, sent_by_us(json.dumps(copy), "m2", deferrals=1)) == []
        assert [result for _, result in results(world)] == ["created"]

    def test_a_superseded_message_is_not_put_back(self, world: HandlerWorld) -> None:
        record = world.ledger.accept(a_request())
        world.ledger.record_deferral(record, 5, "429")

        assert work(world, sent_by_us(a_request().to_json(), "m1", deferrals=0), time_left=5) == []
        assert world.queue.waiting == []

    def test_a_message_of_another_producer_is_worked_on_however_long_the_request_waits(
        self, world: HandlerWorld
    ) -> None:
        world.close.list_fails = Unavailable("500")
        work(world, record(body(), "m1"), record(body(), "m2"))
        assert world.queue.deferrals == [1, 2]

    @pytest.mark.parametrize("said", ["many", "1.5", "-1", "", "9" * 5000])
    def test_another_producers_attribute_of_that_name_uses_up_no_receive(self, world: HandlerWorld, said: str) -> None:
        attributes = {"deferrals": {"stringValue": said, "dataType": "String"}}
        assert work(world, record(body()) | {"messageAttributes": attributes}) == []
        assert results(world) == [("1", "created")]

    def test_a_settled_outcome_is_announced_by_any_message(self, world: HandlerWorld) -> None:
        world.close.list_fails = Unavailable("500")
        work(world, sent_by_us(body(), "m1", deferrals=0))
        world.close.list_fails = None
        world.topic.fails = RuntimeError("SNS is down")
        work(world, sent_by_us(body(), "m2", deferrals=1))
        world.topic.fails = None

        assert work(world, sent_by_us(body(), "m3", deferrals=0)) == []
        assert results(world) == [("1", "created")]

    def test_a_copy_that_cannot_be_sent_leaves_the_message(self, world: HandlerWorld) -> None:
        world.close.list_fails = Unavailable("500")
        world.queue.fails = RuntimeError("SQS is down")

        assert work(world, record(body())) == ["m1"]


class TestWorkerFailures:
    @pytest.fixture
    def failing(self, world: HandlerWorld) -> HandlerWorld:
        world.close.list_fails = RuntimeError("boom")
        return world

    def test_the_message_stays_hidden_for_a_while(self, failing: HandlerWorld) -> None:
        assert work(failing, record(body(), receive_count=3)) == ["m1"]
        assert failing.queue.hidden == [("handle of m1", 3, 0)]
        assert failing.topic.events == []

    def test_the_last_receive_announces_unresolved(self, failing: HandlerWorld) -> None:
        assert work(failing, record(body(), receive_count=5)) == ["m1"]  # SQS moves it to the dead-letter queue

        [(event_id, outcome)] = failing.topic.events
        assert (event_id, outcome.result) == (a_request("1").id, "unresolved")
        assert outcome.problem
        assert outcome.problem.detail.startswith("The service failed 5 times in a row")

    def test_the_last_receive_announces_without_the_ledger(
        self, world: HandlerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object) -> None:
            raise RuntimeError("DynamoDB is down")

        monkeypatch.setattr(world.ledger, "accept", away)

        assert work(world, record(body(), receive_count=5)) == ["m1"]
        [(event_id, outcome)] = world.topic.events
        assert (event_id, outcome.result) == (message_key("m1"), "unresolved")

    def test_a_message_is_returned_when_the_queue_is_down_too(self, failing: HandlerWorld) -> None:
        failing.queue.fails = RuntimeError("SQS is down, too")

        assert work(failing, record(body())) == ["m1"]

    def test_silent_no_exception_reaches_an_outcome(self, failing: HandlerWorld) -> None:
        failing.close.list_fails = RuntimeError("api_1aZ9.s3cret")
        work(failing, record(body(), receive_count=5))

        assert "s3cret" not in failing.topic.events[0][1].to_json()


class TestNoRequest:
    @pytest.mark.parametrize(
        ("text", "tenant", "request_id"),
        [
            ("{", "unknown", "m1"),
            ("", "unknown", "m1"),
            ("[]", "unknown", "m1"),
            ("\x00", "unknown", "m1"),
            ("[" * 100_000, "unknown", "m1"),
            ('{"tenant": "a b", "request_id": "no good"}', "unknown", "m1"),
            ('{"request_id": 7}', "default", "m1"),
            (body("1", if_exists="replace"), "acme", "1"),
            (body("1", x=1), "acme", "1"),
        ],
        ids=range(9),
    )
    def test_an_invalid_message_is_announced_and_dead_lettered_with_its_reason(
        self, world: HandlerWorld, text: str, tenant: str, request_id: str
    ) -> None:
        assert work(world, record(text)) == []

        [(event_id, outcome)] = world.topic.events
        assert event_id == message_key("m1")
        assert (outcome.tenant, outcome.request_id, outcome.result) == (tenant, request_id, "failed")
        assert outcome.problem
        assert outcome.problem.errors
        assert world.queue.dead == [(text, outcome.problem.detail, "m1")]
        assert (world.ledger.requests, world.seen) == ({}, [])

    def test_a_request_id_reused_for_other_content_fails(self, world: HandlerWorld) -> None:
        work(world, record(body("1")))

        assert work(world, record(body("1", "Deal"), "m2")) == []

        (first_id, first), (second_id, second) = world.topic.events
        assert (first_id, first.result) == (a_request("1").id, "created")  # stays what it is
        assert (second_id, second.result) == (message_key("m2"), "failed")
        assert second.problem
        assert second.problem.type.endswith(":request-conflict")
        assert [message_id for _, _, message_id in world.queue.dead] == ["m2"]
        assert world.close.names == ["Account"]

    def test_a_message_that_cannot_be_announced_stays(self, world: HandlerWorld) -> None:
        world.topic.fails = RuntimeError("SNS is down")

        assert work(world, record("{")) == ["m1"]
        assert world.queue.dead == []

    def test_a_message_that_cannot_be_dead_lettered_stays_and_is_announced_under_the_same_id(
        self, world: HandlerWorld
    ) -> None:
        world.queue.fails = RuntimeError("SQS is down")
        assert work(world, record("{")) == ["m1"]

        world.queue.fails = None
        assert work(world, record("{", receive_count=2)) == []
        assert {event_id for event_id, _ in world.topic.events} == {message_key("m1")}
        assert len(world.queue.dead) == 1

    @pytest.mark.parametrize("text", ["{", body("1", x=1)])
    def test_an_event_that_is_repeated_has_the_same_content(self, world: HandlerWorld, text: str) -> None:
        """Consumers deduplicate by id. The ledger does not hold the outcome of such a message."""
        world.queue.fails = RuntimeError("SQS is down")
        for receive_count in range(1, 4):
            assert work(world, record(text, receive_count=receive_count)) == ["m1"]
            world.clock.advance(60)

        first, *others = [outcome for _, outcome in world.topic.events]
        assert others == [first] * 2
        assert (first.attempts, first.settled_at) == (1, "2027-01-15T08:00:00+00:00")  # when it was sent

    @pytest.mark.parametrize(
        ("text", "tenant", "request_id"),
        [
            (body("1")[:-1] + ",}", "unknown", "m1"),
            (body("1").replace('{"', '{"tenant": "globex", "', 1), "unknown", "1"),
            (body("1").replace('{"', '{"request_id": "2", "', 1), "acme", "m1"),
            (json.dumps({"Records": [{"s3": {}}]}), "unknown", "m1"),
            (body("1", tenant=None, if_exists="replace"), "default", "1"),
        ],
        ids=["trailing comma", "tenant twice", "request id twice", "another event", "null tenant"],
    )
    def test_field_14_a_message_is_never_announced_under_a_guessed_tenant(
        self, world: HandlerWorld, text: str, tenant: str, request_id: str
    ) -> None:
        assert work(world, record(text)) == []

        [(_, outcome)] = world.topic.events
        assert (outcome.tenant, outcome.request_id, outcome.result) == (tenant, request_id, "failed")
        assert world.close.names == []

    def test_field_16_a_message_of_a_mebibyte_is_dead_lettered_at_its_first_receive(self, world: HandlerWorld) -> None:
        assert work(world, record("x" * 1_048_576)) == []

        [(_, outcome)] = world.topic.events
        assert (outcome.tenant, outcome.problem and outcome.problem.status) == ("unknown", 413)
        [(_, reason, message_id)] = world.queue.dead
        assert (reason, message_id) == ("A request must have at most 262144 bytes.", "m1")


def in_sns(message: str, message_id: str = "a95b1f2c-0000-5000-8000-0f1c2d3e4a5b") -> str:
    """The message as SNS delivers it without raw message delivery."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": "arn:aws:sns:eu-central-1:111122223333:signups",
            "Message": message,
            "Timestamp": "2026-11-26T20:00:00.000Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService.pem",
            "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
        }
    )


def in_eventbridge(detail: Any, event_id: str = "6a7e8feb-b491-4cf7-a9f1-bf3703467718") -> str:
    """The event as a rule without an input path delivers it."""
    return json.dumps(
        {
            "version": "0",
            "id": event_id,
            "detail-type": "Provisioning Requested",
            "source": "my.app",
            "account": "111122223333",
            "time": "2026-11-26T20:00:00Z",
            "region": "eu-central-1",
            "resources": [],
            "detail": detail,
        }
    )


class TestEnvelopes:
    @pytest.mark.parametrize(
        "wrapped",
        [in_sns(body("1")), in_eventbridge(json.loads(body("1"))), in_sns(in_eventbridge(json.loads(body("1"))))],
        ids=["SNS", "EventBridge", "EventBridge to SNS"],
    )
    def test_field_14_the_request_in_an_envelope_is_carried_out(self, world: HandlerWorld, wrapped: str) -> None:
        assert work(world, record(wrapped)) == []

        assert (results(world), world.close.names) == ([("1", "created")], ["Account"])
        assert world.topic.events[0][1].tenant == "acme"

    @pytest.mark.parametrize(
        ("wrapped", "request_id"),
        [
            (in_sns(body(None)), "a95b1f2c-0000-5000-8000-0f1c2d3e4a5b"),
            (in_eventbridge(json.loads(body(None))), "6a7e8feb-b491-4cf7-a9f1-bf3703467718"),
            (in_sns(body(None), "not an id"), "m1"),
        ],
    )
    def test_field_14_the_id_of_the_envelope_stands_in_for_a_request_id(
        self, world: HandlerWorld, wrapped: str, request_id: str
    ) -> None:
        """It is the same when SNS or EventBridge delivers the message again, under another message id of SQS."""
        work(world, record(wrapped))

        assert results(world) == [(request_id, "created")]

    @pytest.mark.parametrize(
        ("wrapped", "tenant", "reason"),
        [
            (in_sns("hello"), "unknown", "In the Message of an SNS notification: the body: invalid JSON: "),
            (in_sns(body("1", x=1)), "acme", "In the Message of an SNS notification: /x: unknown key."),
            (in_sns(body("1").replace('{"', '{"tenant": "globex", "', 1)), "unknown",
             "In the Message of an SNS notification: the body: invalid JSON: duplicate key 'tenant'."),
            (in_eventbridge(["no object"]), "unknown", "In the detail of an EventBridge event: the body: must be"),
            (in_eventbridge({"tenant": "acme"}), "acme", "In the detail of an EventBridge event: the body: must have"),
            (in_sns(in_sns(in_sns(body("1")))), "unknown", "In the Message of an SNS notification in the Message of"),
        ],
    )  # fmt: skip
    def test_field_14_a_reason_names_the_envelope(
        self, world: HandlerWorld, wrapped: str, tenant: str, reason: str
    ) -> None:
        assert work(world, record(wrapped)) == []

        [(event_id, outcome)] = world.topic.events
        assert (event_id, outcome.tenant, outcome.result) == (message_key("m1"), tenant, "failed")
        assert outcome.problem
        assert outcome.problem.detail.startswith(reason)
        assert [dead[1:] for dead in world.queue.dead] == [(outcome.problem.detail, "m1")]

    def test_field_14_the_largest_request_fits_into_an_envelope(self, world: HandlerWorld) -> None:
        text = body("1")
        padded = text[:-1] + " " * (262_144 - len(text)) + "}"

        assert work(world, record(in_sns(padded))) == []
        assert results(world) == [("1", "created")]


def account(request_id: str = "1", product: str = "Prisma") -> str:
    values = {"product": product}
    return json.dumps({"tenant": "acme", "request_id": request_id, "blueprint": "account", "values": values})


class TestAcceptedContent:
    def test_hole_5_a_message_with_other_types_does_not_replace_the_accepted_ones(self, world: HandlerWorld) -> None:
        world.ledger.accept(parse_request(account()))
        other = {**json.loads(account()), "custom_object_types": [{"name": "Stolen", "name_plural": "Stolen"}]}

        assert work(world, record(json.dumps(other))) == []
        assert (results(world), world.close.names) == ([("1", "created")], ["Account"])

    def test_hole_5_a_deferred_copy_holds_the_accepted_types(self, world: HandlerWorld) -> None:
        world.ledger.accept(parse_request(account()))
        world.close.list_fails = Unavailable("500")
        other = {**json.loads(account()), "custom_object_types": [{"name": "Stolen", "name_plural": "Stolen"}]}

        work(world, record(json.dumps(other)))

        [(copy, _, _)] = world.queue.waiting
        assert [each["name"] for each in copy["custom_object_types"]] == ["Account"]

    def test_hole_5_a_blueprint_that_changed_since_changes_nothing(
        self, world: HandlerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.ledger.accept(parse_request(account()))
        monkeypatch.setattr(blueprints, "load", blueprint_that_requires("region"))

        assert work(world, record(account())) == []
        assert (results(world), world.close.names, world.queue.dead) == ([("1", "created")], ["Account"], [])

    def test_hole_5_other_values_are_other_content_even_if_the_blueprint_changed(
        self, world: HandlerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.ledger.accept(parse_request(account()))
        monkeypatch.setattr(blueprints, "load", blueprint_that_requires("region"))

        work(world, record(account(product="Other")))

        assert [message_id for _, _, message_id in world.queue.dead] == ["m1"]


class TestDeath:
    """A worker that dies while it parses a message: ``KeyboardInterrupt`` stands for the end of the process."""

    def _die_at(self, monkeypatch: pytest.MonkeyPatch, poison: str) -> None:
        def dies(text: str, message_id: str) -> ProvisioningRequest:
            if message_id == poison:
                raise KeyboardInterrupt
            return request_in(text, message_id)

        monkeypatch.setattr("provisioner.handlers.worker.request_in", dies)

    @pytest.mark.parametrize("position", range(4))
    def test_hole_7_its_batch_mates_are_in_the_ledger(
        self, world: HandlerWorld, monkeypatch: pytest.MonkeyPatch, position: int
    ) -> None:
        """Wherever the large message is in the batch."""
        batch = [record(body(f"{number}", f"Type {number}"), f"m{number}") for number in range(3)]
        batch.insert(position, record(body("poison") + " " * 20_000, "poison"))
        self._die_at(monkeypatch, "poison")

        with pytest.raises(KeyboardInterrupt):
            work(world, *batch)

        assert {accepted.request_id for accepted, _ in world.ledger.requests.values()} == {"0", "1", "2"}

    def test_hole_7_a_message_that_was_received_before_is_parsed_after_new_ones(
        self, world: HandlerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._die_at(monkeypatch, "poison")

        with pytest.raises(KeyboardInterrupt):
            work(world, record("{}", "poison", receive_count=2), record(body("1"), "m1"))

        assert [accepted.request_id for accepted, _ in world.ledger.requests.values()] == ["1"]

    def test_hole_7_a_batch_of_hostile_messages_takes_little_memory(self, world: HandlerWorld) -> None:
        hostile = body("1")[:-1] + ', "custom_object_types": [' + ",".join(["{}"] * 87_000) + "]}"
        batch = [record(hostile, f"m{number}") for number in range(7)] + [record(body("good"), "good")]
        tracemalloc.start()
        try:
            assert work(world, *batch) == []
            memory = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert memory < 20_000_000
        assert len(world.queue.dead) == 7
        assert ("good", "created") in results(world)

    def test_hole_7_a_message_that_breaks_the_parser_harms_no_other(
        self, world: HandlerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks(text: str, message_id: str) -> ProvisioningRequest:
            if message_id == "m1":
                raise MemoryError
            return request_in(text, message_id)

        monkeypatch.setattr("provisioner.handlers.worker.request_in", breaks)

        assert work(world, record(body("1")), record(body("2", "Deal"), "m2")) == ["m1"]
        assert world.close.names == ["Deal"]


class TestDeadLettersRedriven:
    @pytest.fixture
    def unresolved(self, world: HandlerWorld) -> HandlerWorld:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request("1"))
        return world

    def test_a_type_found_since_is_announced(self, unresolved: HandlerWorld) -> None:
        unresolved.close.add("Account")
        unresolved.clock.advance(61)

        assert work(unresolved, record(body("1"))) == []
        assert [outcome.result for _, outcome in unresolved.topic.types] == ["recovered"]
        assert results(unresolved) == [("1", "unresolved")]

    def test_a_message_that_still_has_to_wait_stays(self, unresolved: HandlerWorld) -> None:
        unresolved.lease_and_vanish(a_request("2"))

        assert work(unresolved, record(body("1"), receive_count=2)) == ["m1"]
        [(handle, receive_count, at_least)] = unresolved.queue.hidden
        assert (handle, receive_count) == ("handle of m1", 2)
        assert at_least > 0


def test_metrics_count_the_result_of_each_message(world: HandlerWorld, capsys: pytest.CaptureFixture[str]) -> None:
    work(world, record(body("1")), record(body("1"), "m2"), record("{", "m3"), record(body("4", "Deal"), "m4"))

    [document] = [each for each in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in each]
    assert {name: document[name] for name in ("Created", "Replayed", "DeadLettered")} == {
        "Created": [2.0], "Replayed": [1.0], "DeadLettered": [1.0]
    }  # fmt: skip


def test_the_line_of_a_failed_request_says_why(world: HandlerWorld, logged: StringIO) -> None:
    world.close.list_fails = Rejected(ProblemType.PLAN_LIMIT, "Close returned 402.", close_status=402)
    work(world, record(body("1")))

    [line] = [each for each in map(json.loads, logged.getvalue().splitlines()) if each["message"] == "settled"]
    assert (line["tenant"], line["result"]) == ("acme", "failed")
    assert line["problem"] == ProblemType.PLAN_LIMIT.uri
    assert line["reason"]


def test_silent_no_log_line_holds_a_credential_or_a_body(world: HandlerWorld, logged: StringIO) -> None:
    world.close.list_fails = Unavailable("500")
    texts = [body("1", "Account s3cret"), body("2", tenant="initech"), "s3cret {"]
    work(world, *(record(text, f"m{number}") for number, text in enumerate(texts)))

    assert len(logged.getvalue().splitlines()) == 3
    assert "s3cret" not in logged.getvalue()
    assert "api_acme" not in logged.getvalue()
