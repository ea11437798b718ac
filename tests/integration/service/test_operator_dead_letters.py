"""Dead-letter messages: seen without being hidden, sent again only where that can succeed, dropped only by name."""

import json
from typing import Any

import pytest

from provisioner.contract.request import ProvisioningRequest
from tests.fakes import a_request
from tests.integration.service.locked_moto import client
from tests.integration.service.operator_caller import OperatorCaller
from tests.integration.service.stack import Stack


@pytest.fixture
def operator(stack: Stack) -> OperatorCaller:
    return OperatorCaller(stack)


def put(stack: Stack, body: str, *, queue: str = "dead_letter_queue_url", **attributes: str) -> str:
    """Put a message on a dead-letter queue. Return its id."""
    sent = client("sqs").send_message(
        QueueUrl=getattr(stack.settings, queue),
        MessageBody=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": each} for name, each in attributes.items()},
    )
    return str(sent["MessageId"])


def listed(operator: OperatorCaller) -> dict[str, dict[str, Any]]:
    status, found = operator.call("GET /v1/dead-letters")
    assert status == 200
    return {each["id"]: each for each in found["data"]}


def redrive(operator: OperatorCaller, **body: Any) -> dict[str, Any]:
    status, answer = operator.call("POST /v1/dead-letters/redrives", body)
    assert status == 200, answer
    return answer


def unresolved(stack: Stack) -> ProvisioningRequest:
    request = a_request("given-up")
    record = stack.service.ledger.accept(request)
    stack.service.provisioner.give_up(record, request, "It failed.")
    return request


REQUESTED = {
    "id": "event-1",
    "source": "orders",
    "detail-type": "Provisioning Requested",
    "detail": json.loads(a_request("by-event").to_json()),
}


class TestTheListOfDeadLetters:
    @pytest.mark.parametrize(
        ("body", "attributes", "judged"),
        [
            ("<signup/>", {"reason": "invalid JSON", "message_id": "m-1"}, ("not-a-request", False)),
            ("<signup/>", {}, ("not-a-request", False)),
            ('{"tenant": "acme", "x": 1}', {"reason": "no", "message_id": "m-1"}, ("not-a-request", False)),
            (a_request().to_json(), {}, ("service-failed", True)),
            (a_request().to_json()[:-30], {"truncated": "true", "reason": "too large"}, ("truncated", False)),
            (a_request("given-up").to_json(), {}, ("service-failed", True)),
            (a_request("settled").to_json(), {}, ("settled", False)),
            (a_request("settled", name="Other").to_json(), {"reason": "used before"}, ("not-a-request", False)),
            ("", {}, ("not-a-request", False)),
        ],
    )
    def test_says_why_and_whether_sending_it_again_can_succeed(
        self,
        stack: Stack,
        operator: OperatorCaller,
        body: str,
        attributes: dict[str, str],
        judged: tuple[str, bool],
    ) -> None:
        stack.settle(a_request("settled"))
        unresolved(stack)
        message = put(stack, body or " ", **attributes)

        found = listed(operator)[message]

        assert (found["cause"], found["redrivable"]) == judged
        assert found["queue"] == "provisioning"
        assert found["reason"]
        assert found["body"] == (body or " ")

    @pytest.mark.parametrize(
        ("body", "attributes", "cause"),
        [
            (json.dumps(REQUESTED), {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "denied"}, "not-delivered"),
            (json.dumps({"requestPayload": REQUESTED, "responsePayload": {}}), {}, "not-delivered"),
            ('{"requestPayload": 7}', {}, "not-an-event"),
            ("nonsense", {}, "not-an-event"),
        ],
    )
    def test_says_it_of_events_too(
        self, stack: Stack, operator: OperatorCaller, body: str, attributes: dict[str, str], cause: str
    ) -> None:
        message = put(stack, body, queue="events_dead_letter_queue_url", **attributes)
        found = listed(operator)[message]
        assert (found["cause"], found["queue"]) == (cause, "events")

    def test_hides_nothing(self, stack: Stack, operator: OperatorCaller) -> None:
        for number in range(25):
            put(stack, f"nonsense {number}")
        first = listed(operator)
        assert len(first) == 25
        assert listed(operator).keys() == first.keys()
        received = client("sqs").receive_message(QueueUrl=stack.settings.dead_letter_queue_url)
        assert len(received["Messages"]) == 1

    def test_counts_them_by_cause(self, stack: Stack, operator: OperatorCaller) -> None:
        put(stack, "nonsense")
        put(stack, "more")
        put(stack, a_request().to_json())
        assert operator.call("GET /v1/dead-letters")[1]["causes"] == {"not-a-request": 2, "service-failed": 1}


class TestRedrives:
    def test_send_again_what_can_succeed_and_keep_the_rest(self, stack: Stack, operator: OperatorCaller) -> None:
        good, bad = put(stack, a_request().to_json()), put(stack, "nonsense")

        answer = redrive(operator, all=True, reason="DynamoDB is back")

        assert answer["done"] == [good]
        assert [each["id"] for each in answer["kept"]] == [bad]
        assert listed(operator).keys() == {bad}
        [sent] = stack.waiting()
        stack.work(sent.body)
        assert stack.types() == ["Account"]

    def test_take_some_by_id_or_by_cause(self, stack: Stack, operator: OperatorCaller) -> None:
        one, two, three = (put(stack, a_request(str(number)).to_json()) for number in range(3))
        assert redrive(operator, ids=[two, "gone"]) == {"done": [two], "kept": [], "missing": ["gone"]}
        assert set(redrive(operator, cause="service-failed")["done"]) == {one, three}

    def test_an_unresolved_request_is_looked_at_again(self, stack: Stack, operator: OperatorCaller) -> None:
        request = unresolved(stack)
        stack.close.add_type(stack.organizations["acme"], "Account")
        put(stack, request.to_json())
        stack.events()

        redrive(operator, all=True)
        stack.work(*(each.body for each in stack.waiting()))

        assert [each["type"] for each in stack.events()] == ["close-provisioner.type.resolved"]

    def test_an_event_goes_through_the_code_of_its_function(self, stack: Stack, operator: OperatorCaller) -> None:
        message = put(stack, json.dumps({"requestPayload": REQUESTED}), queue="events_dead_letter_queue_url")

        assert redrive(operator, all=True)["done"] == [message]

        assert stack.service.ledger.find(a_request("by-event").id)
        assert len(stack.waiting()) == 1
        assert not listed(operator)

    def test_one_that_fails_leaves_the_others_alone(
        self, stack: Stack, operator: OperatorCaller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = (put(stack, a_request(str(number)).to_json()) for number in range(2))
        send: Any = type(stack.service.queue).send

        def fails_once(queue: Any, body: str, *further: Any) -> None:
            if '"0"' in body:
                raise ConnectionError
            send(queue, body, *further)

        monkeypatch.setattr(type(stack.service.queue), "send", fails_once)
        answer = redrive(operator, all=True)
        assert (answer["done"], [each["id"] for each in answer["kept"]]) == ([two], [one])
        assert listed(operator).keys() == {one}

    def test_stop_in_time_to_put_the_others_back(self, stack: Stack, operator: OperatorCaller) -> None:
        message = put(stack, a_request().to_json())
        operator.time_left = 5
        status, answer = operator.call("POST /v1/dead-letters/redrives", {"all": True})
        assert (status, answer["done"]) == (200, [])
        operator.time_left = 28
        assert listed(operator).keys() == {message}

    @pytest.mark.parametrize(
        "body",
        [{}, {"all": False}, {"ids": [], "all": False}, {"ids": ["a"], "all": True}, {"cause": "x"}, {"ids": "a"}],
    )
    def test_need_one_selection(self, operator: OperatorCaller, body: dict[str, Any]) -> None:
        assert operator.call("POST /v1/dead-letters/redrives", body)[0] == 400


class TestDrops:
    def test_delete_what_is_named_and_keep_a_record(self, stack: Stack, operator: OperatorCaller) -> None:
        bad, other = put(stack, "nonsense"), put(stack, "more")

        status, answer = operator.call("POST /v1/dead-letters/drops", {"ids": [bad], "reason": "a test of ours"})

        assert (status, answer["done"]) == (200, [bad])
        assert listed(operator).keys() == {other}
        [action] = operator.audit()
        assert (action["action"], action["target"], action["reason"]) == (
            "drop dead-letter messages",
            bad,
            "a test of ours",
        )

    @pytest.mark.parametrize(
        "body", [{"all": True, "reason": "x"}, {"cause": "not-a-request", "reason": "x"}, {"ids": ["a"]}]
    )
    def test_need_names_and_a_reason(self, stack: Stack, operator: OperatorCaller, body: dict[str, Any]) -> None:
        message = put(stack, "nonsense")
        assert operator.call("POST /v1/dead-letters/drops", body)[0] == 400
        assert listed(operator).keys() == {message}
