"""The HTTP API: requests that settle while their caller waits, and those that do not."""

import json

import pytest
from botocore.exceptions import EndpointConnectionError

from provisioner.close.transport import MIN_WRITE_SECONDS, SETTLE_SECONDS
from provisioner.contract.errors import ProblemType, Rejected, Unavailable
from tests.close import LOST, LOST_BEFORE
from tests.fakes import a_request
from tests.handlers import HandlerWorld
from tests.http_caller import BODY, ID, Answer, Caller


class TestSettledWhileTheCallerWaits:
    def test_a_created_type_is_answered_201(self, world: HandlerWorld, caller: Caller) -> None:
        answer = caller.post()

        assert (answer.status, answer.headers["Content-Type"]) == (201, "application/json")
        assert answer.headers["Location"] == f"provisioning-requests/{ID}"
        assert "Idempotency-Replayed" not in answer.headers
        outcome = answer.body.pop("outcome")
        assert answer.body == {"id": ID, "tenant": "acme", "request_id": "signup-8841", "state": "settled"}
        assert outcome["result"] == "created"
        assert outcome["types"][0]["id"] == world.close.existing[0].id
        assert world.close.names == ["Account"]
        assert [event_id for event_id, _ in world.topic.events] == [ID]

    def test_the_message_that_carries_the_request_on_was_sent_first(self, world: HandlerWorld, caller: Caller) -> None:
        caller.post()

        assert world.queue.waiting == [(BODY, "acme", 30)]

    def test_a_recovered_type_is_answered_201(self, world: HandlerWorld, caller: Caller) -> None:
        world.close.faults = [LOST]
        assert caller.post().status == 202

        world.clock.advance(61)
        assert world.settle(a_request())[0].result == "recovered"
        assert caller.post().status == 201

    def test_an_unchanged_or_adopted_type_is_answered_200(self, world: HandlerWorld, caller: Caller) -> None:
        world.close.add("Account", description="Old")

        unchanged = caller.post()
        desired = {**BODY["custom_object_type"], "description": "New"}  # type: ignore[dict-item]
        adopted = caller.post({**BODY, "request_id": "2", "custom_object_type": desired})

        assert (unchanged.status, unchanged.body["outcome"]["result"]) == (200, "unchanged")
        assert (adopted.status, adopted.body["outcome"]["result"]) == (200, "adopted")
        [adopted_type] = adopted.body["outcome"]["types"]
        assert adopted_type["differences"] == [{"field": "description", "desired": "New", "observed": "Old"}]

    def test_an_existing_type_is_answered_409(self, world: HandlerWorld, caller: Caller) -> None:
        existing = world.close.add("Account")

        answer = caller.post({**BODY, "if_exists": "fail"})

        assert (answer.status, answer.kind) == (409, "type-exists")
        assert (answer.body["id"], answer.body["state"]) == (ID, "settled")
        assert answer.body["outcome"]["result"] == "failed"
        assert answer.body["outcome"]["types"][0]["id"] == existing.id

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
    def test_a_request_that_close_rejects_is_answered_422_or_424(
        self, world: HandlerWorld, caller: Caller, close_status: int, status: int, kind: str
    ) -> None:
        world.close.faults = [Rejected(ProblemType.SPEC_REJECTED, "no", close_status=close_status)]

        answer = caller.post()

        assert (answer.status, answer.kind, answer.body["close_status"]) == (status, kind, close_status)
        assert "no" in answer.body["detail"]

    def test_a_credential_that_cannot_be_used_is_answered_424(self, world: HandlerWorld, caller: Caller) -> None:
        world.tenants.fails = Rejected(ProblemType.CREDENTIAL_UNREADABLE, "cannot be used")

        answer = caller.post()

        assert (answer.status, answer.kind) == (424, "credential-unreadable")
        assert world.topic.events[0][1].result == "failed"

    def test_an_unresolved_request_is_answered_504(self, world: HandlerWorld, caller: Caller) -> None:
        world.close.faults = [LOST_BEFORE, LOST_BEFORE]
        world.settle(a_request())

        answer = caller.post()

        assert (answer.status, answer.kind) == (504, "unresolved")

    def test_a_request_past_its_deadline_is_answered_504(self) -> None:
        world = HandlerWorld(wait_limit_seconds=1)
        world.close.list_fails = Unavailable("500")

        answer = Caller(world).post()

        assert (answer.status, answer.kind) == (504, "deadline-exceeded")


class TestNotSettledInTime:
    def check_accepted(self, answer: Answer, pending_reason: str = "") -> None:
        assert answer.status == 202
        expected = {"id": ID, "tenant": "acme", "request_id": "signup-8841", "state": "accepted"}
        assert answer.body == expected | ({"pending_reason": pending_reason} if pending_reason else {})
        assert answer.headers["Location"] == f"provisioning-requests/{ID}"
        assert int(answer.headers["Retry-After"]) > 0

    def test_a_lost_response_is_answered_202(self, world: HandlerWorld, caller: Caller) -> None:
        world.close.faults = [LOST]

        lost = "the write was sent, but its response was lost (ReadError)"
        self.check_accepted(caller.post(), f"{lost}; waiting until Close's list is sure to show it")
        assert len(world.queue.waiting) == 2

    def test_an_unavailable_close_is_answered_202(self, world: HandlerWorld, caller: Caller) -> None:
        world.close.list_fails = Unavailable("500")

        self.check_accepted(caller.post(), "Close returned 500")

    @pytest.mark.parametrize(("lag", "delays", "retry_after"), [(60.0, [30, 60], "61"), (2.5, [30, 2.5], "4")])
    def test_a_deferral_sends_a_message_that_supersedes_the_fallback(
        self, lag: float, delays: list[float], retry_after: str
    ) -> None:
        world = HandlerWorld(list_lag_seconds=lag)
        world.close.faults = [LOST]

        answer = Caller(world).post()

        assert [delay for _, _, delay in world.queue.waiting] == delays
        assert world.queue.deferrals == [0, 1]
        assert answer.headers["Retry-After"] == retry_after

    def test_too_little_time_for_the_response_of_a_create_is_answered_202(
        self, world: HandlerWorld, caller: Caller
    ) -> None:
        caller.time_left = MIN_WRITE_SECONDS + SETTLE_SECONDS - 0.1

        self.check_accepted(caller.post(), "too little time is left in this run")
        assert [request.method for request in world.seen] == ["GET"]

    def test_an_unavailable_secrets_manager_is_answered_202(self, world: HandlerWorld, caller: Caller) -> None:
        world.tenants.fails = Unavailable("Secrets Manager fails")

        self.check_accepted(caller.post(), "Secrets Manager fails")

    def test_an_unexpected_failure_of_an_accepted_request_is_answered_202(
        self, world: HandlerWorld, caller: Caller
    ) -> None:
        world.close.list_fails = RuntimeError("boom s3cret")

        self.check_accepted(caller.post())
        assert len(world.queue.waiting) == 1

    def test_only_the_announcement_is_left_to_the_worker(self, world: HandlerWorld, caller: Caller) -> None:
        world.topic.fails = RuntimeError("SNS is down")

        assert caller.post().status == 201
        world.topic.fails = None
        assert world.reconcile(a_request()) == world.topic.events[0][1]

    def test_a_type_leased_by_another_run_is_answered_202(self, world: HandlerWorld, caller: Caller) -> None:
        world.ledger.accept(a_request())

        self.check_accepted(caller.post())
        assert (world.seen, world.queue.waiting) == ([], [])

    @pytest.mark.parametrize(
        "prefer",
        [["respond-async"], ["Respond-Async"], ["wait=10, respond-async"], ["handling=lenient", "respond-async"]],
    )
    def test_a_caller_who_prefers_async_is_answered_202_at_once(
        self, world: HandlerWorld, caller: Caller, prefer: list[str]
    ) -> None:
        answer = caller.post(Prefer=prefer)

        self.check_accepted(answer)
        assert answer.headers["Preference-Applied"] == "respond-async"
        assert world.queue.waiting == [(BODY, "acme", 0)]
        assert world.seen == []

    def test_an_unknown_preference_changes_nothing(self, caller: Caller) -> None:
        answer = caller.post(Prefer=["return=minimal"])

        assert answer.status == 201
        assert "Preference-Applied" not in answer.headers

    def test_a_request_survives_an_unreachable_queue(self, world: HandlerWorld, caller: Caller) -> None:
        """The ledger has it, and the sweeper will find it there; meanwhile nothing keeps us from working on it."""
        world.queue.fails = EndpointConnectionError(endpoint_url="https://sqs")

        assert caller.post().status == 201

    def test_an_async_request_is_worked_on_now_without_the_queue(self, world: HandlerWorld, caller: Caller) -> None:
        world.queue.fails = EndpointConnectionError(endpoint_url="https://sqs")

        answer = caller.post(Prefer=["respond-async"])

        assert answer.status == 201
        assert "Preference-Applied" not in answer.headers


class TestLookingUp:
    def test_a_settled_request_is_shown_with_200(self, caller: Caller) -> None:
        posted = caller.post()

        shown = caller.get(ID)

        assert (shown.status, shown.body) == (200, posted.body)
        assert "Retry-After" not in shown.headers

    def test_a_failed_request_is_shown_with_200(self, world: HandlerWorld, caller: Caller) -> None:
        world.close.faults = [Rejected(ProblemType.PLAN_LIMIT, "no", close_status=402)]
        caller.post()

        shown = caller.get(ID)

        assert (shown.status, shown.headers["Content-Type"]) == (200, "application/json")
        assert shown.body["outcome"]["problem"]["close_status"] == 402

    def test_a_pending_request_is_shown_with_200(self, caller: Caller) -> None:
        caller.post(Prefer=["respond-async"])

        shown = caller.get(ID)

        assert (shown.status, shown.body["state"]) == (200, "accepted")
        assert "outcome" not in shown.body
        assert int(shown.headers["Retry-After"]) > 0

    @pytest.mark.parametrize("request_key", ["0" * 32, "nonsense", ID.upper(), ID + "0", "../" + ID, ""])
    def test_an_unknown_request_is_answered_404(self, caller: Caller, request_key: str) -> None:
        caller.post()

        answer = caller.get(request_key)

        assert (answer.status, answer.kind) == (404, "request-not-found")


def test_each_request_counts_in_one_metric(
    world: HandlerWorld, caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    def counted() -> list[str]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [
            each["Name"] for line in lines if "_aws" in line for each in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        ]

    caller.post()
    assert counted() == ["TimeToOutcome", "Created", "CloseAnswered"]
    caller.post()
    assert counted() == ["Replayed"]
    caller.post("{")
    assert counted() == ["Rejected"]
    caller.post({**BODY, "request_id": "2"}, Prefer=["respond-async"])
    assert counted() == ["Accepted"]
    world.close.list_fails = Unavailable("500")
    caller.post({**BODY, "request_id": "3"})
    assert counted() == ["Deferred", "CloseFailed"]
    world.tenants.fails = RuntimeError("boom")
    caller.post({**BODY, "request_id": "4"})
    assert counted() == ["Unavailable"]
