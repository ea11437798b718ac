"""The HTTP API: the same idempotency key again."""

import json
from dataclasses import replace
from typing import Any

import pytest

from provisioner.contract import blueprints
from provisioner.contract.errors import ProblemType, Rejected, Unavailable
from tests.handlers import HandlerWorld, blueprint_that_requires
from tests.http_caller import BODY, ID, Caller


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in BODY.items() if key not in keys}


class TestIdempotency:
    def test_a_repeated_request_gets_the_first_response(self, world: HandlerWorld, caller: Caller) -> None:
        first, again = caller.post(), caller.post()

        assert (again.status, again.body) == (first.status, first.body)
        assert again.headers == {**first.headers, "Idempotency-Replayed": "true"}
        assert len(world.topic.events) == 1
        assert world.close.names == ["Account"]

    def test_a_request_is_replayed_after_its_tenant_was_removed(self, world: HandlerWorld, caller: Caller) -> None:
        first = caller.post()
        world.tenants.known.discard("acme")

        assert caller.post().headers["Idempotency-Replayed"] == "true"
        assert caller.post().body == first.body
        assert caller.post({**BODY, "request_id": "another"}).kind == "tenant-not-found"

    def test_a_failure_is_replayed_too(self, world: HandlerWorld, caller: Caller) -> None:
        world.close.faults = [Rejected(ProblemType.PLAN_LIMIT, "no", close_status=402)]
        first, again = caller.post(), caller.post()

        assert (again.status, again.kind, again.body) == (424, "plan-limit", first.body)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert world.close.names == []

    def test_a_key_reused_for_other_content_is_answered_422(self, world: HandlerWorld, caller: Caller) -> None:
        caller.post()

        answer = caller.post({**BODY, "custom_object_type": {"name": "Deal", "name_plural": "Deals"}})

        assert (answer.status, answer.kind) == (422, "request-conflict")
        assert world.close.names == ["Account"]

    @pytest.mark.parametrize("settled", [True, False])
    def test_hole_5_a_blueprint_that_changed_since_changes_nothing(
        self, world: HandlerWorld, caller: Caller, monkeypatch: pytest.MonkeyPatch, settled: bool
    ) -> None:
        body = {**without("custom_object_type"), "blueprint": "account", "values": {"product": "Prisma"}}
        world.close.list_fails = None if settled else Unavailable("500")
        first = caller.post(body)
        monkeypatch.setattr(blueprints, "load", blueprint_that_requires("region"))

        again = caller.post(body)

        assert (first.status, again.status) == ((201, 201) if settled else (202, 202))
        assert again.headers.get("Idempotency-Replayed") == ("true" if settled else None)
        other = caller.post({**body, "values": {"product": "Other"}})
        assert (other.status, other.kind) == (400, "invalid-request")
        assert caller.post({**body, "request_id": "another"}).kind == "invalid-request"

    def test_another_spelling_of_the_same_content_is_the_same(self, caller: Caller) -> None:
        caller.post()

        assert caller.post({**BODY, "if_exists": "adopt"}).headers["Idempotency-Replayed"] == "true"

    def test_the_keys_scope_is_the_tenant(self, world: HandlerWorld, caller: Caller) -> None:
        caller.post()

        assert caller.post({**BODY, "tenant": "globex"}).body["id"] != ID

    @pytest.mark.parametrize("key", ['"signup-8841"', "signup-8841", ' "signup-8841" '])
    def test_a_quoted_key_equals_a_bare_one(self, caller: Caller, key: str) -> None:
        assert caller.post(without("request_id"), Idempotency_Key=[key]).body["id"] == ID
        assert caller.post(Idempotency_Key=[key]).headers["Idempotency-Replayed"] == "true"

    def test_two_equal_key_headers_count_as_one(self, caller: Caller) -> None:
        answer = caller.post(without("request_id"), Idempotency_Key=['"signup-8841"', "signup-8841"])

        assert (answer.status, answer.body["id"]) == (201, ID)

    def test_two_differing_key_headers_are_answered_400(self, world: HandlerWorld, caller: Caller) -> None:
        answer = caller.post(Idempotency_Key=["signup-8841", "other"])

        assert (answer.status, answer.kind) == (400, "invalid-request")
        assert world.ledger.requests == {}

    @pytest.mark.parametrize("key", ["other", '"SIGNUP-8841"', '""', "", '"a", "a"'])
    def test_a_header_that_differs_from_the_body_is_answered_400(
        self, world: HandlerWorld, caller: Caller, key: str
    ) -> None:
        answer = caller.post(Idempotency_Key=[key])

        assert (answer.status, answer.kind) == (400, "invalid-request")
        assert answer.body["errors"] == [
            {"pointer": "/request_id", "detail": "differs from the Idempotency-Key header"}
        ]
        assert world.ledger.requests == {}

    @pytest.mark.parametrize("key", ['""', "a b", "x" * 129])
    def test_an_invalid_key_is_answered_400(self, caller: Caller, key: str) -> None:
        answer = caller.post(without("request_id"), Idempotency_Key=[key])

        assert [each["pointer"] for each in answer.body["errors"]] == ["/request_id"]

    def test_a_missing_key_is_answered_400(self, caller: Caller) -> None:
        [error] = caller.post(without("request_id")).body["errors"]

        assert error == {"pointer": "/request_id", "detail": "is required, here or as the Idempotency-Key header"}

    def test_header_names_ignore_case(self, caller: Caller) -> None:
        event = {
            "resource": "/v1/provisioning-requests", "httpMethod": "POST", "multiValueHeaders": None,
            "headers": {"IDEMPOTENCY-KEY": "signup-8841", "content-type": "application/json"},
            "body": json.dumps(without("request_id")), "isBase64Encoded": False,
        }  # fmt: skip

        assert caller.send(event).body["id"] == ID


def test_a_request_is_shown_even_if_todays_rules_reject_it(world: HandlerWorld, caller: Caller) -> None:
    """A release may narrow the rules of names; what it accepted before stays readable."""
    caller.post()
    record, request = world.ledger.requests[ID]
    world.ledger.requests[ID] = replace(record, body=record.body.replace("Accounts", "\u0000")), request

    assert (caller.get(ID).status, caller.get(ID).body["state"]) == (200, "settled")
