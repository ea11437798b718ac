"""The HTTP door: events as API Gateway sends them, and every answer."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from provisioner.api import Api
from provisioner.contract import request_key
from provisioner.errors import Busy, Kind, NotCreated, Refused
from tests.doors import DoorWorld
from tests.fakes import LOST, LOST_BEFORE, a_request

BODY = {
    "tenant": "acme",
    "request_id": "signup-8841",
    "custom_object_type": {"name": "Account", "name_plural": "Accounts"},
}
ID = request_key("acme", "signup-8841")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        """The name of the problem."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.body["status"] == self.status
        assert {"type", "title", "status", "detail"} <= self.body.keys()
        return str(self.body["type"]).removeprefix("urn:close-provisioner:problem:")


class Caller:
    """Somebody with a SigV4 key. Header values are lists, as API Gateway keeps them apart."""

    def __init__(self, world: DoorWorld) -> None:
        self.api = Api(world.service)
        self.time_left = 28.0

    def call(
        self, method: str, resource: str, body: str | None = None, parameters: Any = None, **headers: list[str]
    ) -> Answer:
        named = {name.replace("_", "-"): values for name, values in headers.items()}
        event = {
            "resource": resource,
            "path": resource,
            "httpMethod": method,
            "headers": {name: values[-1] for name, values in named.items()} or None,
            "multiValueHeaders": named or None,
            "queryStringParameters": None,
            "pathParameters": parameters,
            "requestContext": {"stage": "v1", "requestId": "request-1", "identity": {"sourceIp": "192.0.2.1"}},
            "body": base64.b64encode(body.encode()).decode() if body is not None else None,
            "isBase64Encoded": body is not None,
        }
        return self.send(event)

    def send(self, event: dict[str, Any]) -> Answer:
        answer = self.api.answer(event, lambda: self.time_left)
        assert answer.keys() == {"statusCode", "headers", "body", "isBase64Encoded"}
        assert answer["isBase64Encoded"] is False
        assert answer["headers"]["Cache-Control"] == "no-store"
        assert all(isinstance(value, str) for value in answer["headers"].values())
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]))

    def post(self, body: object = BODY, **headers: list[str]) -> Answer:
        text = body if isinstance(body, str) else json.dumps(body)
        return self.call("POST", "/v1/provisioning-requests", text, Content_Type=["application/json"], **headers)

    def get(self, request_key: str) -> Answer:
        return self.call("GET", "/v1/provisioning-requests/{id}", parameters={"id": request_key})


@pytest.fixture
def world() -> DoorWorld:
    return DoorWorld()


@pytest.fixture
def caller(world: DoorWorld) -> Caller:
    return Caller(world)


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in BODY.items() if key not in keys}


class TestSettledWhileTheCallerWaits:
    def test_201_created(self, world: DoorWorld, caller: Caller) -> None:
        answer = caller.post()

        assert (answer.status, answer.headers["Content-Type"]) == (201, "application/json")
        assert answer.headers["Location"] == f"provisioning-requests/{ID}"
        assert "Idempotency-Replayed" not in answer.headers
        outcome = answer.body.pop("outcome")
        assert answer.body == {"id": ID, "tenant": "acme", "request_id": "signup-8841", "state": "settled"}
        assert outcome["result"] == "created"
        assert outcome["custom_object_type"]["id"] == "cotype_1"
        assert world.close.names == ["Account"]
        assert [event_id for event_id, _ in world.outcomes.events] == [ID]

    def test_the_message_that_carries_it_on_was_sent_first(self, world: DoorWorld, caller: Caller) -> None:
        caller.post()

        assert world.messages.waiting == [(BODY, "acme", 30)]

    def test_201_recovered(self, world: DoorWorld, caller: Caller) -> None:
        world.close.faults = [LOST]
        assert caller.post().status == 202

        world.clock.advance(61)
        assert world.settle(a_request())[0].result == "recovered"
        assert caller.post().status == 201

    def test_200_unchanged_and_adopted(self, world: DoorWorld, caller: Caller) -> None:
        world.close.add("Account", description="Old")

        unchanged = caller.post()
        wanted = {**BODY["custom_object_type"], "description": "New"}  # type: ignore[dict-item]
        adopted = caller.post({**BODY, "request_id": "2", "custom_object_type": wanted})

        assert (unchanged.status, unchanged.body["outcome"]["result"]) == (200, "unchanged")
        assert (adopted.status, adopted.body["outcome"]["result"]) == (200, "adopted")
        assert adopted.body["outcome"]["differences"] == [{"field": "description", "wanted": "New", "actual": "Old"}]

    def test_409_exists(self, world: DoorWorld, caller: Caller) -> None:
        world.close.add("Account")

        answer = caller.post({**BODY, "if_exists": "fail"})

        assert (answer.status, answer.kind) == (409, "type-exists")
        assert (answer.body["id"], answer.body["state"]) == (ID, "settled")
        assert answer.body["outcome"]["result"] == "failed"
        assert answer.body["outcome"]["custom_object_type"]["id"] == "cotype_1"

    @pytest.mark.parametrize(
        ("close_status", "status", "kind"),
        [
            (400, 422, "spec-rejected"),
            (401, 424, "credential-rejected"),
            (402, 424, "plan-limit"),
            (403, 424, "permission-missing"),
            (404, 424, "plan-limit"),
            (405, 424, "close-misconfigured"),
        ],
    )
    def test_422_and_424_close_refuses(
        self, world: DoorWorld, caller: Caller, close_status: int, status: int, kind: str
    ) -> None:
        world.close.faults = [Refused(Kind.SPEC_REJECTED, "no", close_status=close_status)]

        answer = caller.post()

        assert (answer.status, answer.kind, answer.body["close_status"]) == (status, kind, close_status)
        assert "no" in answer.body["detail"]

    def test_424_the_stored_credential_cannot_be_used(self, world: DoorWorld, caller: Caller) -> None:
        world.tenants.fails = Refused(Kind.CREDENTIAL_UNREADABLE, "cannot be used")

        answer = caller.post()

        assert (answer.status, answer.kind) == (424, "credential-unreadable")
        assert world.outcomes.events[0][1].result == "failed"

    def test_504_unresolved(self, world: DoorWorld, caller: Caller) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request())

        answer = caller.post()

        assert (answer.status, answer.kind) == (504, "unresolved")

    def test_504_gave_up(self) -> None:
        world = DoorWorld(wait_limit_seconds=1)
        world.close.list_fails = NotCreated("500")

        answer = Caller(world).post()

        assert (answer.status, answer.kind) == (504, "gave-up")


class TestNotSettledInTime:
    def check_accepted(self, answer: Answer) -> None:
        assert answer.status == 202
        assert answer.body == {"id": ID, "tenant": "acme", "request_id": "signup-8841", "state": "accepted"}
        assert answer.headers["Location"] == f"provisioning-requests/{ID}"
        assert int(answer.headers["Retry-After"]) > 0

    def test_202_a_lost_answer(self, world: DoorWorld, caller: Caller) -> None:
        world.close.faults = [LOST]

        self.check_accepted(caller.post())
        assert len(world.messages.waiting) == 1

    def test_202_close_cannot_be_read(self, world: DoorWorld, caller: Caller) -> None:
        world.close.list_fails = NotCreated("500")

        self.check_accepted(caller.post())

    @pytest.mark.parametrize(("lag", "delays", "retry_after"), [(60.0, [30], "31"), (2.5, [30, 2.5], "4")])
    def test_202_a_wait_that_is_over_before_the_safety_net_comes_brings_a_message_of_its_own(
        self, lag: float, delays: list[float], retry_after: str
    ) -> None:
        world = DoorWorld(list_lag_seconds=lag)
        world.close.faults = [LOST]

        answer = Caller(world).post()

        assert [delay for _, _, delay in world.messages.waiting] == delays
        assert answer.headers["Retry-After"] == retry_after

    def test_202_too_little_time_to_hear_the_answer_of_a_create(self, world: DoorWorld, caller: Caller) -> None:
        caller.time_left = 24

        self.check_accepted(caller.post())
        assert [request.method for request in world.seen] == ["GET"]

    def test_202_secrets_manager_cannot_be_asked(self, world: DoorWorld, caller: Caller) -> None:
        world.tenants.fails = NotCreated("Secrets Manager fails")

        self.check_accepted(caller.post())

    def test_202_an_unexpected_failure_after_it_was_accepted(self, world: DoorWorld, caller: Caller) -> None:
        world.close.list_fails = RuntimeError("boom s3cret")

        self.check_accepted(caller.post())
        assert len(world.messages.waiting) == 1

    def test_201_only_the_announcement_is_left_to_the_worker(self, world: DoorWorld, caller: Caller) -> None:
        world.outcomes.fails = RuntimeError("SNS is down")

        assert caller.post().status == 201
        world.outcomes.fails = None
        assert world.carry_out(a_request()) == world.outcomes.events[0][1]

    def test_202_while_another_works_on_it(self, world: DoorWorld, caller: Caller) -> None:
        world.ledger.accept(a_request())

        self.check_accepted(caller.post())
        assert (world.seen, world.messages.waiting) == ([], [])

    @pytest.mark.parametrize(
        "prefer",
        [["respond-async"], ["Respond-Async"], ["wait=10, respond-async"], ["handling=lenient", "respond-async"]],
    )
    def test_202_at_once_when_asked_for(self, world: DoorWorld, caller: Caller, prefer: list[str]) -> None:
        answer = caller.post(Prefer=prefer)

        self.check_accepted(answer)
        assert answer.headers["Preference-Applied"] == "respond-async"
        assert world.messages.waiting == [(BODY, "acme", 0)]
        assert world.seen == []

    def test_another_preference_changes_nothing(self, caller: Caller) -> None:
        answer = caller.post(Prefer=["return=minimal"])

        assert answer.status == 201
        assert "Preference-Applied" not in answer.headers

    def test_the_queue_cannot_be_reached(self, world: DoorWorld, caller: Caller) -> None:
        """The ledger has it, and the sweeper will find it there; meanwhile nothing keeps us from working on it."""
        world.messages.fails = EndpointConnectionError(endpoint_url="https://sqs")

        assert caller.post().status == 201

    def test_async_with_the_queue_away_is_worked_on_now(self, world: DoorWorld, caller: Caller) -> None:
        world.messages.fails = EndpointConnectionError(endpoint_url="https://sqs")

        answer = caller.post(Prefer=["respond-async"])

        assert answer.status == 201
        assert "Preference-Applied" not in answer.headers


class TestIdempotency:
    def test_the_same_again_gets_the_first_ones_answer(self, world: DoorWorld, caller: Caller) -> None:
        first, again = caller.post(), caller.post()

        assert (again.status, again.body) == (first.status, first.body)
        assert again.headers == {**first.headers, "Idempotency-Replayed": "true"}
        assert len(world.outcomes.events) == 1
        assert world.close.names == ["Account"]

    def test_a_failure_is_replayed_too(self, world: DoorWorld, caller: Caller) -> None:
        world.close.faults = [Refused(Kind.PLAN_LIMIT, "no", close_status=402)]
        first, again = caller.post(), caller.post()

        assert (again.status, again.kind, again.body) == (424, "plan-limit", first.body)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert world.close.names == []

    def test_422_the_same_key_for_other_content(self, world: DoorWorld, caller: Caller) -> None:
        caller.post()

        answer = caller.post({**BODY, "custom_object_type": {"name": "Deal", "name_plural": "Deals"}})

        assert (answer.status, answer.kind) == (422, "request-conflict")
        assert world.close.names == ["Account"]

    def test_another_spelling_of_the_same_content_is_the_same(self, caller: Caller) -> None:
        caller.post()

        assert caller.post({**BODY, "if_exists": "adopt"}).headers["Idempotency-Replayed"] == "true"

    def test_the_keys_scope_is_the_tenant(self, world: DoorWorld, caller: Caller) -> None:
        caller.post()

        assert caller.post({**BODY, "tenant": "globex"}).body["id"] != ID

    @pytest.mark.parametrize("key", ['"signup-8841"', "signup-8841", ' "signup-8841" '])
    def test_the_header_quoted_or_bare(self, caller: Caller, key: str) -> None:
        assert caller.post(without("request_id"), Idempotency_Key=[key]).body["id"] == ID
        assert caller.post(Idempotency_Key=[key]).headers["Idempotency-Replayed"] == "true"

    def test_the_header_sent_twice_alike(self, caller: Caller) -> None:
        answer = caller.post(without("request_id"), Idempotency_Key=['"signup-8841"', "signup-8841"])

        assert (answer.status, answer.body["id"]) == (201, ID)

    def test_400_the_header_sent_twice_otherwise(self, world: DoorWorld, caller: Caller) -> None:
        answer = caller.post(Idempotency_Key=["signup-8841", "other"])

        assert (answer.status, answer.kind) == (400, "invalid-request")
        assert world.ledger.requests == {}

    @pytest.mark.parametrize("key", ["other", '"SIGNUP-8841"', '""', "", '"a", "a"'])
    def test_400_header_and_body_disagree(self, world: DoorWorld, caller: Caller, key: str) -> None:
        answer = caller.post(Idempotency_Key=[key])

        assert (answer.status, answer.kind) == (400, "invalid-request")
        assert answer.body["errors"] == [
            {"pointer": "/request_id", "detail": "differs from the Idempotency-Key header"}
        ]
        assert world.ledger.requests == {}

    @pytest.mark.parametrize("key", ['""', "a b", "x" * 129])
    def test_400_a_key_that_is_no_identifier(self, caller: Caller, key: str) -> None:
        answer = caller.post(without("request_id"), Idempotency_Key=[key])

        assert [each["pointer"] for each in answer.body["errors"]] == ["/request_id"]

    def test_400_no_key_at_all(self, caller: Caller) -> None:
        [error] = caller.post(without("request_id")).body["errors"]

        assert error == {"pointer": "/request_id", "detail": "is required, here or as the Idempotency-Key header"}

    def test_header_names_in_any_case(self, caller: Caller) -> None:
        event = {
            "resource": "/v1/provisioning-requests", "httpMethod": "POST", "multiValueHeaders": None,
            "headers": {"IDEMPOTENCY-KEY": "signup-8841", "content-type": "application/json"},
            "body": json.dumps(without("request_id")), "isBase64Encoded": False,
        }  # fmt: skip

        assert caller.send(event).body["id"] == ID


class TestRefused:
    """Clear: no effect, and said precisely."""

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ("{", [""]),
            ("", [""]),
            ("[]", [""]),
            ({**BODY, "if_exists": "update"}, ["/if_exists"]),
            ({**BODY, "custom_object_type": {"name": ""}},
             ["/custom_object_type/name", "/custom_object_type/name_plural"]),
            ({**BODY, "x": 1}, ["/x"]),
        ],
    )  # fmt: skip
    def test_400_with_pointers(self, world: DoorWorld, caller: Caller, body: object, pointers: list[str]) -> None:
        answer = caller.post(body)

        assert (answer.status, answer.kind) == (400, "invalid-request")
        assert [each["pointer"] for each in answer.body["errors"]] == pointers
        assert (world.ledger.requests, world.messages.waiting, world.seen) == ({}, [], [])

    def test_400_no_body(self, caller: Caller) -> None:
        assert caller.call("POST", "/v1/provisioning-requests").kind == "invalid-request"

    def test_400_bytes_that_are_not_utf_8(self, caller: Caller) -> None:
        event = {
            "resource": "/v1/provisioning-requests", "httpMethod": "POST", "headers": None,
            "body": base64.b64encode(b'{"tenant": "\xff"}').decode(), "isBase64Encoded": True,
        }  # fmt: skip

        assert caller.send(event).kind == "invalid-request"

    def test_404_no_such_tenant(self, world: DoorWorld, caller: Caller) -> None:
        answer = caller.post({**BODY, "tenant": "nobody"})

        assert (answer.status, answer.kind) == (404, "tenant-unknown")
        assert "prefix" not in json.dumps(answer.body)
        assert (world.ledger.requests, world.outcomes.events) == ({}, [])

    @pytest.mark.parametrize("resource", ["/", "/v1", "/v2/provisioning-requests", "/{proxy+}"])
    def test_404_no_such_route(self, caller: Caller, resource: str) -> None:
        answer = caller.call("GET", resource)

        assert (answer.status, answer.kind) == (404, "no-such-route")

    @pytest.mark.parametrize(
        ("method", "resource", "allowed"),
        [
            ("GET", "/v1/provisioning-requests", "POST"),
            ("DELETE", "/v1/provisioning-requests/{id}", "GET"),
            ("POST", "/v1/provisioning-requests/{id}", "GET"),
        ],
    )
    def test_405_another_method(self, caller: Caller, method: str, resource: str, allowed: str) -> None:
        answer = caller.call(method, resource, parameters={"id": ID})

        assert (answer.status, answer.kind) == (405, "method-not-allowed")
        assert answer.headers["Allow"] == allowed

    def test_413_too_large(self, world: DoorWorld, caller: Caller) -> None:
        answer = caller.post(" " * 262_145)

        assert (answer.status, answer.kind) == (413, "body-too-large")

    @pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "json", ""])
    def test_415_not_json(self, caller: Caller, media_type: str) -> None:
        answer = caller.call("POST", "/v1/provisioning-requests", json.dumps(BODY), Content_Type=[media_type])

        assert (answer.status, answer.kind) == (415, "unsupported-media-type")

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content_Type": ["application/json; charset=utf-8"]},
            {"Content_Type": ["Application/JSON"]},
            {"Content_Type": ["application/vnd.acme+json"]},
            {},
        ],
    )
    def test_what_counts_as_json(self, caller: Caller, headers: dict[str, list[str]]) -> None:
        assert caller.call("POST", "/v1/provisioning-requests", json.dumps(BODY), **headers).status == 201


class TestLookingUp:
    def test_200_settled(self, caller: Caller) -> None:
        posted = caller.post()

        shown = caller.get(ID)

        assert (shown.status, shown.body) == (200, posted.body)
        assert "Retry-After" not in shown.headers

    def test_200_a_failed_request_is_found_all_the_same(self, world: DoorWorld, caller: Caller) -> None:
        world.close.faults = [Refused(Kind.PLAN_LIMIT, "no", close_status=402)]
        caller.post()

        shown = caller.get(ID)

        assert (shown.status, shown.headers["Content-Type"]) == (200, "application/json")
        assert shown.body["outcome"]["problem"]["close_status"] == 402

    def test_200_not_settled_yet(self, caller: Caller) -> None:
        caller.post(Prefer=["respond-async"])

        shown = caller.get(ID)

        assert (shown.status, shown.body["state"]) == (200, "accepted")
        assert "outcome" not in shown.body
        assert int(shown.headers["Retry-After"]) > 0

    @pytest.mark.parametrize("request_key", ["0" * 32, "nonsense", ID.upper(), ID + "0", "../" + ID, ""])
    def test_404_unknown(self, caller: Caller, request_key: str) -> None:
        caller.post()

        answer = caller.get(request_key)

        assert (answer.status, answer.kind) == (404, "request-unknown")


class TestUnexpectedFailures:
    def test_503_before_it_was_accepted(self, world: DoorWorld, caller: Caller) -> None:
        world.tenants.fails = RuntimeError("boom s3cret")

        answer = caller.post()

        assert (answer.status, answer.kind) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert "boom" not in json.dumps(answer.body)
        assert world.ledger.requests == {}

    def test_503_then_the_same_again_works(self, world: DoorWorld, caller: Caller) -> None:
        world.tenants.fails = RuntimeError("boom")
        caller.post()
        world.tenants.fails = None

        assert caller.post().status == 201

    def test_503_an_event_that_is_none(self, caller: Caller) -> None:
        assert caller.send({}).kind == "unavailable"

    def test_silent_nothing_of_an_exception_reaches_the_caller(self, world: DoorWorld, caller: Caller) -> None:
        for failure in (Busy("s3cret", 1), NotCreated("s3cret"), RuntimeError("s3cret")):
            world.close.list_fails = failure
            answer = caller.post({**BODY, "request_id": type(failure).__name__})
            assert "s3cret" not in json.dumps(answer.body)


def test_one_metric_for_each_request(world: DoorWorld, caller: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    def counted() -> list[str]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [
            each["Name"] for line in lines if "_aws" in line for each in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        ]

    caller.post()
    assert counted() == ["Created"]
    caller.post()
    assert counted() == ["Replayed"]
    caller.post("{")
    assert counted() == ["Refused"]
    caller.post({**BODY, "request_id": "2"}, Prefer=["respond-async"])
    assert counted() == ["Accepted"]
    world.close.list_fails = NotCreated("500")
    caller.post({**BODY, "request_id": "3"})
    assert counted() == ["Waited"]
    world.tenants.fails = RuntimeError("boom")
    caller.post({**BODY, "request_id": "4"})
    assert counted() == ["Unavailable"]
