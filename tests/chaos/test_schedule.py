"""The plan of a chaos run, and what has to have happened for the run to count."""

from collections import Counter

from infra.simulator.faults.catalog import KINDS
from provisioner.contract.spec import natural_key
from tests.chaos.coverage import missed
from tests.chaos.proxy import Fate, Kill
from tests.chaos.schedule import KILLS, make

PLAN = make("7", 300)


def test_a_seed_makes_the_same_plan_again() -> None:
    assert make("7", 300) == PLAN
    assert make("8", 300).sendings != PLAN.sendings
    assert make("8", 300).kills != PLAN.kills


def test_requests_come_by_every_door_and_a_quarter_of_them_twice() -> None:
    ids = Counter(sending.request["request_id"] for sending in PLAN.sendings)
    assert (PLAN.requests, PLAN.signups) == (300, 50)
    assert len(ids) == 350
    assert 0.18 < sum(number > 1 for number in ids.values()) / 350 < 0.32
    doors = Counter(sending.door for sending in PLAN.sendings)
    assert min(doors["http"], doors["sqs"]) > len(PLAN.sendings) / 3
    assert doors["webhook"] >= PLAN.signups
    by_id = {sending.request["request_id"]: sending.request for sending in PLAN.sendings}
    assert all(by_id[sending.request["request_id"]] == sending.request for sending in PLAN.sendings)


def test_many_ask_for_the_same_type_under_different_spellings() -> None:
    spelled: dict[tuple[str, str], set[str]] = {}
    for sending in PLAN.sendings:
        name = sending.request["custom_object_type"]["name"]
        if sending.door != "webhook":
            spelled.setdefault((sending.request["tenant"], natural_key(name)), set()).add(name)
    assert len(spelled) <= 300 / 4
    assert sum(len(names) > 1 for names in spelled.values()) > len(spelled) / 2


def test_everything_that_can_fail_is_sure_to_fail_once() -> None:
    assert {order.kind for order in PLAN.orders} == set(KINDS)
    assert all(fault.sure_after is not None or fault.kind == "outage" for fault in PLAN.aws)
    assert set(PLAN.kills.values()) == set(KILLS)


def test_a_run_that_hit_everything_counts() -> None:
    close, aws = Counter(dict.fromkeys(KINDS, 1)), Counter({fault.name: 1 for fault in PLAN.aws})
    kills = [Kill("sqs.SendMessage", fate, 1) for fate in PLAN.kills.values()]
    results = Counter(created=30, recovered=10, unchanged=100, adopted=100)
    assert list(missed(PLAN, close, aws, kills, results)) == []


def test_a_run_that_hit_nothing_does_not_count() -> None:
    said = list(missed(PLAN, Counter(), Counter(), [], Counter()))
    assert len(said) == len(KINDS) + len(PLAN.aws) + 1 + len(KILLS) + 3
    assert "Close create_then_408 struck 0 times" in said
    assert "0 of 25 kills struck" in said
    assert f"nobody was killed {Fate.KILLED_AFTER}" in said
    assert "0 of 300 requests were recovered" in said
