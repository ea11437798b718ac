"""The plan of a chaos run, and what has to have happened for the run to count."""

from collections import Counter

from infra.simulator.faults.catalog import KINDS
from provisioner.contract.text import natural_key
from tests.chaos.coverage import coverage_gaps
from tests.chaos.proxy import Kill, ProxyAction
from tests.chaos.schedule import KILLS, make_schedule

SCHEDULE = make_schedule("7", 300)


def test_a_seed_makes_the_same_plan_again() -> None:
    assert make_schedule("7", 300) == SCHEDULE
    assert make_schedule("8", 300).scheduled_requests != SCHEDULE.scheduled_requests
    assert make_schedule("8", 300).kills != SCHEDULE.kills


def test_requests_use_every_entry_point_and_a_quarter_is_sent_twice() -> None:
    ids = Counter(scheduled.request["request_id"] for scheduled in SCHEDULE.scheduled_requests)
    assert (SCHEDULE.requests, SCHEDULE.signups) == (300, 50)
    assert len(ids) == 350
    assert 0.18 < sum(number > 1 for number in ids.values()) / 350 < 0.32
    functions = Counter(scheduled.entry_point for scheduled in SCHEDULE.scheduled_requests)
    assert min(functions["http"], functions["sqs"]) > len(SCHEDULE.scheduled_requests) / 3
    assert functions["webhook"] >= SCHEDULE.signups
    by_id = {scheduled.request["request_id"]: scheduled.request for scheduled in SCHEDULE.scheduled_requests}
    assert all(by_id[scheduled.request["request_id"]] == scheduled.request for scheduled in SCHEDULE.scheduled_requests)


def test_many_ask_for_the_same_type_under_different_spellings() -> None:
    spelled: dict[tuple[str, str], set[str]] = {}
    for scheduled in SCHEDULE.scheduled_requests:
        name = scheduled.request["custom_object_type"]["name"]
        if scheduled.entry_point != "webhook":
            spelled.setdefault((scheduled.request["tenant"], natural_key(name)), set()).add(name)
    assert len(spelled) <= 300 / 4
    assert sum(len(names) > 1 for names in spelled.values()) > len(spelled) / 2


def test_everything_that_can_fail_is_sure_to_fail_once() -> None:
    assert {order.kind for order in SCHEDULE.orders} == set(KINDS)
    assert all(fault.sure_after is not None or fault.kind == "outage" for fault in SCHEDULE.aws)
    assert set(SCHEDULE.kills.values()) == set(KILLS)


def test_a_run_that_hit_everything_counts() -> None:
    close, aws = Counter(dict.fromkeys(KINDS, 1)), Counter({fault.name: 1 for fault in SCHEDULE.aws})
    kills = [Kill("sqs.SendMessage", action, 1) for action in SCHEDULE.kills.values()]
    results = Counter(created=30, recovered=10, unchanged=100, adopted=100)
    assert list(coverage_gaps(SCHEDULE, close, aws, kills, results)) == []


def test_a_run_that_hit_nothing_does_not_count() -> None:
    said = list(coverage_gaps(SCHEDULE, Counter(), Counter(), [], Counter()))
    assert len(said) == len(KINDS) + len(SCHEDULE.aws) + 1 + len(KILLS) + 3
    assert "Close create_then_408 struck 0 times" in said
    assert "0 of 25 kills struck" in said
    assert f"no process was killed {ProxyAction.KILL_AFTER}" in said
    assert "0 of 300 requests were recovered" in said
