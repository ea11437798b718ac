"""The service as a whole, when answers of Close get lost."""

from collections.abc import Callable

import pytest

from tests.fakes import a_request
from tests.integration.service.stack import Stack


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

        assert (outcome.types[0].id, outcome.types[0].other_matches) == (first["id"], (second["id"],))
