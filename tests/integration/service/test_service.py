"""The service as a whole: what is at Close, in the ledger and on the topic after each story."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.fakes import a_request
from tests.integration.service.stack import Stack


class TestBothDoors:
    def test_created_through_http(self, stack: Stack) -> None:
        request = a_request(spec={"description": "Who pays us", "editable_with_roles": ["admin"]})

        answer = stack.post(request)

        assert (answer["status"], answer["outcome"]["result"]) == (201, "created")
        assert stack.types() == ["Account"]
        [event] = stack.events()
        assert (event["id"], event["data"]) == (request.id, answer["outcome"])
        assert event["data"]["custom_object_type"]["description"] == "Who pays us"

    def test_created_through_the_queue(self, stack: Stack) -> None:
        assert stack.work(a_request("1").to_json(), a_request("2", "Deal").to_json()) == []

        assert sorted(stack.results()) == [("1", "created"), ("2", "created")]
        assert sorted(stack.types()) == ["Account", "Deal"]

    def test_settled_the_message_that_followed_finds_it_done(self, stack: Stack) -> None:
        stack.post(a_request())
        [message] = stack.waiting()

        assert message.delay == stack.settings.safety_net_delay_seconds
        assert stack.work(message.body) == []
        assert (stack.creates(), len(stack.events())) == (1, 1)

    def test_an_answer_is_replayed_from_the_ledger(self, stack: Stack) -> None:
        first, again = stack.post(a_request()), stack.post(a_request(), stack.new_service())

        assert (again["status"], again["outcome"]) == (201, first["outcome"])
        assert again["headers"]["Idempotency-Replayed"] == "true"
        assert stack.creates() == 1

    def test_an_adopted_type_that_lacks_something_is_replayed_too(self, stack: Stack) -> None:
        stack.close.add_type(stack.organizations["acme"], "Account", name_plural="Accounts")
        request = a_request(spec={"description": "wanted"})
        first, again = stack.post(request), stack.post(request)

        assert first["outcome"]["differences"] == [{"field": "description", "wanted": "wanted", "actual": None}]
        assert (again["status"], again["outcome"]) == (200, first["outcome"])

    def test_async_is_done_by_the_worker(self, stack: Stack) -> None:
        assert stack.post(a_request(), Prefer="respond-async")["status"] == 202
        [message] = stack.waiting()

        stack.work(message.body)

        assert stack.results() == [("signup-8841", "created")]

    def test_apart_each_tenant_has_its_own_organisation(self, stack: Stack) -> None:
        stack.work(a_request("1").to_json(), a_request("1", "Deal", tenant="globex").to_json())

        assert (stack.types("acme"), stack.types("globex")) == (["Account"], ["Deal"])

    def test_one_look_at_the_list_for_each_tenant_of_a_batch(self, stack: Stack) -> None:
        requests = [a_request(f"{n}", f"Type {n}", tenant=t) for n in range(4) for t in ("acme", "globex")]
        stack.work(*(each.to_json() for each in requests))

        for tenant in ("acme", "globex"):
            log = stack.close.requests(stack.organizations[tenant])
            assert [each["method"] for each in log] == ["GET", "POST", "POST", "POST", "POST"]

    def test_a_settled_request_costs_close_nothing(self, stack: Stack) -> None:
        stack.post(a_request())
        before = len(stack.close.requests(stack.organizations["acme"]))
        stack.post(a_request())
        stack.work(a_request().to_json())

        assert len(stack.close.requests(stack.organizations["acme"])) == before

    def test_clear_a_poison_message_is_buried_with_its_reason(self, stack: Stack) -> None:
        assert stack.work("{", a_request().to_json()) == []

        [letter] = stack.dead_letters()
        assert letter.body == "{"
        assert letter.message_attributes["reason"]["StringValue"].startswith("the body: is not JSON")
        assert sorted(stack.results()) == [("message-0", "failed"), ("signup-8841", "created")]


class TestOnceAfterALostAnswer:
    @pytest.mark.parametrize(
        "fault",
        [
            "create_then_hang_up", "create_then_cut_short", "create_then_408", "create_then_500", "create_then_502",
            "create_then_503", "create_then_504", "create_then_html_error", "success_without_id", "garbage_json",
        ],
    )  # fmt: skip
    def test_recovered(self, stack: Stack, fault: str) -> None:
        stack.arm(fault)

        outcome, runs = stack.settle(a_request())

        assert (outcome.result, runs) == ("recovered", 2)
        assert (stack.types(), stack.creates()) == (["Account"], 1)
        assert stack.results() == [("signup-8841", "recovered")]

    def test_recovered_when_it_never_answers(self, new_stack: Callable[..., Stack]) -> None:
        stack = new_stack(close_timeout_seconds=0.2)
        stack.arm("create_then_never_answer")

        assert stack.settle(a_request())[0].result == "recovered"
        assert (stack.types(), stack.creates()) == (["Account"], 1)

    @pytest.mark.parametrize("fault", ["408_before", "500_before", "502_before", "503_before", "hang_up_before"])
    def test_sent_once_more_when_two_looks_did_not_find_it(self, stack: Stack, fault: str) -> None:
        stack.arm(fault)

        outcome, runs = stack.settle(a_request())

        assert (outcome.result, runs) == ("created", 3)
        assert (stack.types(), stack.creates()) == (["Account"], 2)

    def test_unresolved_when_both_were_lost_and_never_a_third(self, stack: Stack) -> None:
        stack.arm("500_before", times=None)

        outcome, _ = stack.settle(a_request())

        assert outcome.result == "unresolved"
        assert (stack.types(), stack.creates()) == ([], 2)
        assert stack.settle(a_request("2"))[0].result == "unresolved"
        assert stack.creates() == 2

    def test_http_then_the_worker(self, stack: Stack) -> None:
        stack.arm("create_then_hang_up")
        assert stack.post(a_request())["status"] == 202

        outcome, _ = stack.settle(a_request())

        assert outcome.result == "recovered"
        assert stack.post(a_request())["status"] == 201

    def test_what_the_list_does_not_show_yet_is_not_created_again(self, stack: Stack) -> None:
        """The type's id is known, so it is asked for by its id."""
        stack.arm("list_lag", list_lag_seconds=600)
        stack.settle(a_request("1"))

        assert stack.settle(a_request("2"))[0].result == "unchanged"
        assert (stack.types(), stack.creates()) == (["Account"], 1)

    def test_deleted_by_hand_it_is_created_again(self, stack: Stack) -> None:
        stack.settle(a_request("1"))
        stack.close.clear_organization(stack.organizations["acme"])
        stack.clock.advance(61)

        assert stack.settle(a_request("2"))[0].result == "created"

    def test_of_duplicates_at_close_the_oldest_is_taken(self, stack: Stack) -> None:
        first, second = (stack.close.add_type(stack.organizations["acme"], name) for name in ("Account", "account"))

        outcome, _ = stack.settle(a_request())

        assert outcome.custom_object_type
        assert (outcome.custom_object_type["id"], outcome.also_found) == (first["id"], (second["id"],))


class TestSettledWithoutItsMessage:
    def test_the_sweeper_finds_what_was_accepted_and_forgotten(self, stack: Stack) -> None:
        stack.post(a_request(), Prefer="respond-async")
        stack.waiting()  # lost
        assert stack.sweep() == {"Unsettled": 0, "Unannounced": 0, "Unswept": 0}  # it is not late yet

        stack.clock.advance(1000)
        assert stack.sweep()["Unsettled"] == 1
        assert stack.sweep()["Unsettled"] == 0  # expected back now
        [message] = stack.waiting()
        stack.work(message.body)
        stack.clock.advance(100_000)

        assert stack.results() == [("signup-8841", "created")]
        assert stack.sweep() == {"Unsettled": 0, "Unannounced": 0, "Unswept": 0}

    def test_announced_what_was_settled_and_not_heard_of(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        def down(*_: Any) -> None:
            raise ConnectionError

        with monkeypatch.context() as patched:
            patched.setattr("provisioner.outcomes.Outcomes.publish", down)
            stack.post(a_request())
        stack.waiting()
        assert stack.events() == []

        stack.clock.advance(1000)
        assert stack.sweep()["Unannounced"] == 1
        stack.work(*(each.body for each in stack.waiting()))

        assert stack.results() == [("signup-8841", "created")]

    def test_swept_again_and_again_it_comes_less_often(self, stack: Stack) -> None:
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


class TestFinal:
    @pytest.mark.parametrize(("fault", "status"), [("401", 401), ("402", 402), ("403", 403)])
    def test_failed_at_once(self, stack: Stack, fault: str, status: int) -> None:
        stack.arm(fault)

        answer = stack.post(a_request())

        assert (answer["status"], answer["close_status"]) == (424, status)
        assert stack.results() == [("signup-8841", "failed")]
        assert stack.creates() == 1

    def test_closes_field_errors_become_pointers(self, stack: Stack) -> None:
        stack.add_tenant("strict", switches={"name_max_length": 8})

        answer = stack.post(a_request(name="Customer", tenant="strict"))

        assert (answer["status"], answer["close_status"]) == (422, 400)
        assert [each["pointer"] for each in answer["errors"]] == ["/custom_object_type/name_plural"]

    def test_no_such_tenant(self, stack: Stack) -> None:
        assert stack.post(a_request(tenant="nobody"))["status"] == 404
        assert stack.work(a_request(tenant="nobody").to_json()) == []
        assert stack.results() == [("signup-8841", "failed")]


class TestCredentials:
    def test_a_dead_key_fails(self, stack: Stack) -> None:
        stack.set_secret("acme", "api_dead.key")

        answer = stack.post(a_request())

        assert (answer["status"], answer["close_status"]) == (424, 401)
        assert "api_dead" not in json.dumps(answer)

    def test_a_rotated_key_is_noticed_at_the_first_401(self, stack: Stack) -> None:
        stack.settle(a_request("1"))
        organization = stack.organizations["acme"]
        new = stack.close.add_key(organization)
        [old] = {each["key_suffix"] for each in stack.close.requests(organization)}
        stack.set_secret("acme", new)
        stack.close.revoke(stack.service.tenants.credential("acme").secret)

        answer = stack.post(a_request("2", "Deal"))

        assert answer["status"] == 201
        log = [(each["method"], each["status"]) for each in stack.close.requests(organization)[2:]]
        assert log == [("GET", 401), ("GET", 200), ("POST", 201)]
        assert stack.close.requests(organization)[-1]["key_suffix"] == new[-4:] != old

    def test_a_token_works_as_well(self, stack: Stack) -> None:
        organization = stack.add_tenant("oauth")
        stack.set_secret("oauth", json.dumps({"access_token": stack.close.add_tokens(organization)["access_token"]}))

        assert stack.post(a_request(tenant="oauth"))["status"] == 201

    def test_pinned_to_the_right_organisation(self, stack: Stack) -> None:
        stack.add_tenant("pinned", secret=lambda key, id_: json.dumps({"api_key": key, "organization_id": id_}))

        assert stack.post(a_request(tenant="pinned"))["status"] == 201
        paths = [each["path"] for each in stack.close.requests(stack.organizations["pinned"])]
        assert paths == ["/api/v1/custom_object_type/", "/api/v1/me/", "/api/v1/custom_object_type/"]

    @pytest.mark.parametrize("there", [[], ["Deal"]])
    def test_apart_pinned_to_another_organisation(self, stack: Stack, there: list[str]) -> None:
        organization = stack.add_tenant(
            "pinned", secret=lambda key, _: json.dumps({"api_key": key, "organization_id": "orga_other"})
        )
        for name in there:
            stack.close.add_type(organization, name)

        answer = stack.post(a_request(tenant="pinned"))

        assert (answer["status"], answer["type"]) == (424, "urn:close-provisioner:problem:wrong-organization")
        assert (stack.types("pinned"), stack.creates("pinned")) == (there, 0)


class TestWaiting:
    @pytest.mark.parametrize("header", ["commas", "commas_decimal", "semicolons_decimal", "legacy", "ietf", "absent"])
    def test_polite_a_429_is_obeyed(self, stack: Stack, header: str) -> None:
        stack.arm("429", reset=17.0, header=header)
        stack.work(a_request().to_json())
        [copy] = stack.waiting()

        assert 17 <= copy.delay <= 18
        before = len(stack.close.requests(stack.organizations["acme"]))
        stack.clock.advance(16)
        stack.work(copy.body, service=stack.new_service())  # another worker knows of it, too
        assert len(stack.close.requests(stack.organizations["acme"])) == before

        stack.clock.advance(2)
        assert stack.settle(a_request())[0].result == "created"

    def test_polite_even_when_the_pause_cannot_be_remembered(
        self, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is certain, that nothing was created, must not turn into a doubt."""

        def away(*_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

        monkeypatch.setattr("provisioner.ledger.Ledger.pause", away)
        stack.arm("429", reset=17.0)

        assert stack.settle(a_request())[0].result == "created"
        assert stack.creates() == 2

    def test_fair_another_tenant_is_not_held_up(self, stack: Stack) -> None:
        stack.arm("429", method="*", reset=600.0)
        stack.work(a_request("1").to_json(), a_request("2", tenant="globex").to_json())

        assert stack.results() == [("2", "created")]

    def test_slow_is_not_lost(self, new_stack: Callable[..., Stack]) -> None:
        stack = new_stack(close_timeout_seconds=5)
        stack.arm("slow", seconds=0.2)

        assert stack.settle(a_request()) == (stack.service.ledger.find(a_request().id)[0].outcome, 1)  # type: ignore[index]

    def test_a_list_that_fails_is_waited_for(self, stack: Stack) -> None:
        stack.arm("500_before", method="GET", times=2)

        outcome, runs = stack.settle(a_request())

        assert (outcome.result, outcome.attempts, runs) == ("created", 3, 3)

    def test_gives_up_in_the_end(self, new_stack: Callable[..., Stack]) -> None:
        stack = new_stack(wait_limit_seconds=60)
        stack.arm("500_before", method="GET", times=None)

        outcome, _ = stack.settle(a_request())

        assert outcome.result == "failed"
        assert outcome.problem
        assert outcome.problem.type.endswith(":gave-up")


def test_silent_nothing_anywhere_holds_a_key(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    key = stack.service.tenants.credential("acme").secret
    for fault in ("401", "402", "403", "create_then_500", "html_error", "429"):
        stack.arm(fault)
        stack.settle(a_request(fault, f"Type {fault}"))

    told = json.dumps(stack.events())
    stored = str(stack.service.ledger.dynamodb.scan(TableName=stack.name)["Items"])
    for place in (told, stored, capsys.readouterr().out):
        assert key not in place
