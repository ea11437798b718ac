"""The service as a whole, when responses of Close are lost."""

from collections.abc import Callable

import pytest

from tests.fakes import a_request
from tests.integration.service.stack import Stack


class TestServiceOnce:
    @pytest.mark.parametrize("fault", ["create_then_hang_up", "create_then_408"])
    def test_a_create_with_a_lost_response_is_recovered(self, stack: Stack, fault: str) -> None:
        stack.arm(fault)

        outcome, runs = stack.settle(a_request())

        assert (outcome.result, runs) == ("recovered", 2)
        assert (stack.types(), stack.creates()) == (["Account"], 1)
        assert stack.results() == [("signup-8841", "recovered")]

    def test_a_create_without_a_response_is_recovered(self, new_stack: Callable[..., Stack]) -> None:
        stack = new_stack(close_timeout_seconds=0.2)
        stack.arm("create_then_never_answer")

        assert stack.settle(a_request())[0].result == "recovered"
        assert (stack.types(), stack.creates()) == (["Account"], 1)

    @pytest.mark.parametrize("fault", ["500_before", "hang_up_before"])
    def test_a_create_is_resent_after_two_reads_without_the_type(self, stack: Stack, fault: str) -> None:
        stack.arm(fault)

        outcome, runs = stack.settle(a_request())

        assert (outcome.result, runs) == ("created", 3)
        assert (stack.types(), stack.creates()) == (["Account"], 2)

    def test_a_request_is_unresolved_after_two_lost_creates(self, stack: Stack) -> None:
        stack.arm("500_before", times=None)

        outcome, _ = stack.settle(a_request())

        assert outcome.result == "unresolved"
        assert (stack.types(), stack.creates()) == ([], 2)
        assert stack.settle(a_request("2"))[0].result == "unresolved"
        assert stack.creates() == 2

    def test_the_worker_finishes_a_request_over_http(self, stack: Stack) -> None:
        stack.arm("create_then_hang_up")
        assert stack.post(a_request())["status"] == 202

        outcome, _ = stack.settle(a_request())

        assert outcome.result == "recovered"
        assert stack.post(a_request())["status"] == 201

    def test_a_type_that_is_not_listed_yet_is_not_created_again(self, stack: Stack) -> None:
        """The type's id is known, so the type is read by its id."""
        stack.arm("list_lag", list_lag_seconds=600)
        stack.settle(a_request("1"))

        assert stack.settle(a_request("2"))[0].result == "unchanged"
        assert (stack.types(), stack.creates()) == (["Account"], 1)

    def test_a_type_deleted_by_hand_is_created_again(self, stack: Stack) -> None:
        stack.settle(a_request("1"))
        stack.close.clear_organization(stack.organizations["acme"])
        stack.clock.advance(61)

        assert stack.settle(a_request("2"))[0].result == "created"

    def test_the_oldest_of_duplicates_at_close_is_taken(self, stack: Stack) -> None:
        first, second = (stack.close.add_type(stack.organizations["acme"], name) for name in ("Account", "account"))

        outcome, _ = stack.settle(a_request())

        assert (outcome.types[0].id, outcome.types[0].other_matches) == (first["id"], (second["id"],))
