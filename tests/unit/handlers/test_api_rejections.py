"""The HTTP API: rejections and unexpected failures."""

import base64
import json

import pytest

from provisioner.contract.errors import RetryLater, Unavailable
from tests.handlers import HandlerWorld
from tests.http_caller import BODY, ID, Caller


class TestApiRejections:
    """Clear: no effect, and said precisely."""

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ("{", [""]),
            ("", [""]),
            ("[]", [""]),
            ({**BODY, "if_exists": "replace"}, ["/if_exists"]),
            ({**BODY, "custom_object_type": {"name": ""}},
             ["/custom_object_type/name", "/custom_object_type/name_plural"]),
            ({**BODY, "x": 1}, ["/x"]),
        ],
    )  # fmt: skip
    def test_an_invalid_body_is_answered_400_with_pointers(
        self, world: HandlerWorld, caller: Caller, body: object, pointers: list[str]
    ) -> None:
        answer = caller.post(body)

        assert (answer.status, answer.kind) == (400, "invalid-request")
        assert [each["pointer"] for each in answer.body["errors"]] == pointers
        assert (world.ledger.requests, world.queue.waiting, world.seen) == ({}, [], [])

    def test_a_missing_body_is_answered_400(self, caller: Caller) -> None:
        assert caller.call("POST", "/v1/provisioning-requests").kind == "invalid-request"

    def test_bytes_that_are_not_utf_8_are_answered_400(self, caller: Caller) -> None:
        event = {
            "resource": "/v1/provisioning-requests", "httpMethod": "POST", "headers": None,
            "body": base64.b64encode(b'{"tenant": "\xff"}').decode(), "isBase64Encoded": True,
        }  # fmt: skip

        assert caller.send(event).kind == "invalid-request"

    def test_an_unknown_tenant_is_answered_404(self, world: HandlerWorld, caller: Caller) -> None:
        answer = caller.post({**BODY, "tenant": "initech"})

        assert (answer.status, answer.kind) == (404, "tenant-not-found")
        assert "prefix" not in json.dumps(answer.body)
        assert (world.ledger.requests, world.topic.events) == ({}, [])

    @pytest.mark.parametrize("resource", ["/", "/v1", "/v2/provisioning-requests", "/{proxy+}"])
    def test_an_unknown_route_is_answered_404(self, caller: Caller, resource: str) -> None:
        answer = caller.call("GET", resource)

        assert (answer.status, answer.kind) == (404, "not-found")

    @pytest.mark.parametrize(
        ("method", "resource", "allowed"),
        [
            ("GET", "/v1/provisioning-requests", "POST"),
            ("DELETE", "/v1/provisioning-requests/{id}", "GET"),
            ("POST", "/v1/provisioning-requests/{id}", "GET"),
        ],
    )
    def test_an_unsupported_method_is_answered_405(
        self, caller: Caller, method: str, resource: str, allowed: str
    ) -> None:
        answer = caller.call(method, resource, parameters={"id": ID})

        assert (answer.status, answer.kind) == (405, "method-not-allowed")
        assert answer.headers["Allow"] == allowed

    def test_a_body_that_is_too_large_is_answered_413(self, world: HandlerWorld, caller: Caller) -> None:
        answer = caller.post(" " * 262_145)

        assert (answer.status, answer.kind) == (413, "body-too-large")

    @pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "json", ""])
    def test_another_media_type_is_answered_415(self, caller: Caller, media_type: str) -> None:
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
    def test_every_json_media_type_is_accepted(self, caller: Caller, headers: dict[str, list[str]]) -> None:
        assert caller.call("POST", "/v1/provisioning-requests", json.dumps(BODY), **headers).status == 201


class TestApiFailures:
    def test_a_failure_before_acceptance_is_answered_503(self, world: HandlerWorld, caller: Caller) -> None:
        world.tenants.fails = RuntimeError("boom s3cret")

        answer = caller.post()

        assert (answer.status, answer.kind) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert "boom" not in json.dumps(answer.body)
        assert world.ledger.requests == {}

    def test_a_request_answered_503_can_be_repeated(self, world: HandlerWorld, caller: Caller) -> None:
        world.tenants.fails = RuntimeError("boom")
        caller.post()
        world.tenants.fails = None

        assert caller.post().status == 201

    def test_an_invalid_proxy_event_is_answered_503(self, caller: Caller) -> None:
        assert caller.send({}).kind == "unavailable"

    def test_silent_no_exception_text_reaches_the_caller(self, world: HandlerWorld, caller: Caller) -> None:
        world.close.list_fails = RuntimeError("s3cret")
        answer = caller.post()
        assert answer.status == 202
        assert "s3cret" not in json.dumps(answer.body)

    def test_the_response_names_the_reason_of_a_deferral(self, world: HandlerWorld, caller: Caller) -> None:
        for failure in (RetryLater("Close rate-limited this tenant (429)", 1), Unavailable("Close returned 500")):
            world.close.list_fails = failure
            answer = caller.post({**BODY, "request_id": type(failure).__name__})
            assert answer.body["pending_reason"] == str(failure)
            assert caller.get(answer.body["id"]).body["pending_reason"] == str(failure)
            world.clock.advance(2)
