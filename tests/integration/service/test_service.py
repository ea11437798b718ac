"""The service as a whole: what is at Close, in the ledger and on the topic after each story."""

import json
from typing import Any

import pytest

from tests.fakes import a_request
from tests.integration.service.stack import Stack


class TestHttpAndQueue:
    def test_a_type_is_created_through_http(self, stack: Stack) -> None:
        request = a_request(spec={"description": "Who pays us", "editable_with_roles": ["admin"]})

        answer = stack.post(request)

        assert (answer["status"], answer["outcome"]["result"]) == (201, "created")
        assert stack.types() == ["Account"]
        [event] = stack.events()
        assert (event["id"], event["data"]) == (request.id, answer["outcome"])
        assert event["data"]["types"][0]["custom_object_type"]["description"] == "Who pays us"

    def test_a_type_is_created_through_the_queue(self, stack: Stack) -> None:
        assert stack.work(a_request("1").to_json(), a_request("2", "Deal").to_json()) == []

        assert sorted(stack.results()) == [("1", "created"), ("2", "created")]
        assert sorted(stack.types()) == ["Account", "Deal"]

    def test_settled_the_fallback_message_finds_the_request_settled(self, stack: Stack) -> None:
        stack.post(a_request())
        [message] = stack.waiting()

        assert message.delay == stack.settings.fallback_delay_seconds
        assert stack.work(message.body) == []
        assert (stack.creates(), len(stack.events())) == (1, 1)

    def test_a_response_is_replayed_from_the_ledger(self, stack: Stack) -> None:
        first, again = stack.post(a_request()), stack.post(a_request(), stack.new_service())

        assert (again["status"], again["outcome"]) == (201, first["outcome"])
        assert again["headers"]["Idempotency-Replayed"] == "true"
        assert stack.creates() == 1

    def test_an_adopted_type_that_lacks_something_is_replayed_too(self, stack: Stack) -> None:
        stack.close.add_type(stack.organizations["acme"], "Account", name_plural="Accounts")
        request = a_request(spec={"description": "desired"})
        first, again = stack.post(request), stack.post(request)

        [adopted] = first["outcome"]["types"]
        assert adopted["differences"] == [{"field": "description", "desired": "desired", "observed": None}]
        assert (again["status"], again["outcome"]) == (200, first["outcome"])

    def test_an_async_request_is_done_by_the_worker(self, stack: Stack) -> None:
        assert stack.post(a_request(), Prefer="respond-async")["status"] == 202
        [message] = stack.waiting()

        stack.work(message.body)

        assert stack.results() == [("signup-8841", "created")]

    def test_apart_each_tenant_has_its_own_organization(self, stack: Stack) -> None:
        stack.work(a_request("1").to_json(), a_request("1", "Deal", tenant="globex").to_json())

        assert (stack.types("acme"), stack.types("globex")) == (["Account"], ["Deal"])

    def test_the_list_is_read_once_for_each_tenant_of_a_batch(self, stack: Stack) -> None:
        requests = [a_request(f"{n}", f"Type {n}", tenant=t) for n in range(4) for t in ("acme", "globex")]
        stack.work(*(each.to_json() for each in requests))

        for tenant in ("acme", "globex"):
            log = stack.close.requests(stack.organizations[tenant])
            assert [each["path"].split("/")[3] for each in log[:2]] == ["me", "custom_object_type"]
            assert [each["method"] for each in log] == ["GET", "GET", "POST", "POST", "POST", "POST"]

    def test_a_settled_request_costs_close_nothing(self, stack: Stack) -> None:
        stack.post(a_request())
        before = len(stack.close.requests(stack.organizations["acme"]))
        stack.post(a_request())
        stack.work(a_request().to_json())

        assert len(stack.close.requests(stack.organizations["acme"])) == before

    def test_clear_an_invalid_message_is_dead_lettered_with_its_reason(self, stack: Stack) -> None:
        assert stack.work("{", a_request().to_json()) == []

        [message] = stack.dead_letters()
        assert message.body == "{"
        assert message.message_attributes["reason"]["StringValue"].startswith("the body: invalid JSON")
        assert sorted(stack.results()) == [("message-0", "failed"), ("signup-8841", "created")]


class TestSettledWithoutItsMessage:
    def test_the_sweeper_requeues_a_request_whose_message_was_lost(self, stack: Stack) -> None:
        stack.post(a_request(), Prefer="respond-async")
        stack.waiting()  # lost
        assert stack.sweep() == {
            "Unsettled": 0,
            "Unannounced": 0,
            "RequeueFailed": 0,
            "Backlog": 0,
        }  # it is not late yet

        stack.clock.advance(1000)
        assert stack.sweep()["Unsettled"] == 1
        assert stack.sweep()["Unsettled"] == 0  # expected back now
        [message] = stack.waiting()
        stack.work(message.body)
        stack.clock.advance(100_000)

        assert stack.results() == [("signup-8841", "created")]
        assert stack.sweep() == {"Unsettled": 0, "Unannounced": 0, "RequeueFailed": 0, "Backlog": 0}

    def test_announced_the_sweeper_requeues_an_unpublished_outcome(
        self, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(*_: Any) -> None:
            raise ConnectionError

        with monkeypatch.context() as patched:
            patched.setattr("provisioner.messaging.topic.Topic.publish", down)
            stack.post(a_request())
        stack.waiting()
        assert stack.events() == []

        stack.clock.advance(1000)
        assert stack.sweep()["Unannounced"] == 1
        stack.work(*(each.body for each in stack.waiting()))

        assert stack.results() == [("signup-8841", "created")]

    def test_a_request_is_requeued_less_often_each_time(self, stack: Stack) -> None:
        stack.post(a_request(), Prefer="respond-async")
        gaps = []
        for _ in range(4):
            waited = 0
            while not stack.sweep()["Unsettled"]:
                stack.clock.advance(60)
                waited += 60
            gaps.append(waited)

        assert gaps == sorted(gaps)
        assert gaps[3] > 3 * gaps[1]


def test_silent_nothing_anywhere_holds_a_key(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    key = stack.service.tenants.credential("acme").secret
    for fault in ("401", "402", "403", "create_then_500", "html_error", "429"):
        stack.arm(fault)
        stack.settle(a_request(fault, f"Type {fault}"))

    told = json.dumps(stack.events())
    stored = str(stack.service.ledger.dynamodb.scan(TableName=stack.name)["Items"])
    for place in (told, stored, capsys.readouterr().out):
        assert key not in place
