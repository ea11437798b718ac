"""The plan of a chaos run, and what has to have happened for the run to count."""

import io
import tomllib
import zipfile
from collections import Counter

import pytest

from infra.local.config import PROJECT
from infra.simulator.faults.catalog import KINDS
from provisioner.contract.errors import Rejected
from provisioner.contract.text import natural_key
from provisioner.contract.validation import parse_request
from tests.chaos import hostile
from tests.chaos.coverage import Fired, coverage_gaps
from tests.chaos.hostile import HostileRecord
from tests.chaos.proxy import Kill, ProxyAction
from tests.chaos.schedule import KILLS, ScheduledRequest, make_schedule
from tests.chaos.surroundings import EDITS, edited_artifact
from tests.chaos.surroundings import KINDS as CHANGES

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
            tenant = scheduled.request["tenant"]
            spelled.setdefault((SCHEDULE.shared_by.get(tenant, tenant), natural_key(name)), set()).add(name)
    assert len(spelled) <= 300 / 4
    assert sum(len(names) > 1 for names in spelled.values()) > len(spelled) / 2


def test_hostile_bodies_and_every_change_take_their_turns_among_the_requests() -> None:
    turns = SCHEDULE.turns()
    assert [each for each in turns if isinstance(each, ScheduledRequest)] == list(SCHEDULE.scheduled_requests)
    assert all(each in turns for each in (*SCHEDULE.hostile, *SCHEDULE.changes))
    assert {each.kind for each in SCHEDULE.changes} == set(CHANGES)
    assert {each.entry_point for each in SCHEDULE.hostile} == {"http", "sqs"}
    shared = [each.request for each in SCHEDULE.scheduled_requests if each.request["tenant"] in SCHEDULE.shared_by]
    assert len(shared) > 5
    assert make_schedule("7", 300).turns() == turns


@pytest.mark.parametrize("name", hostile.BODIES)
def test_a_hostile_body_is_rejected(name: str) -> None:
    with pytest.raises(Rejected):
        parse_request(hostile.BODIES[name], fallback_id="message-1")


def test_a_hostile_body_that_is_not_rejected_is_reported() -> None:
    record = HostileRecord({"nested": Counter({400: 1}), "cut short": Counter({201: 1})}, Counter(["nested"]))
    assert record.violations(Counter()) == [
        "a body cut short was answered with 201",
        "a body nested on the queue was not rejected",
    ]
    assert record.violations(Counter([hostile.BODIES["nested"]])) == ["a body cut short was answered with 201"]


def test_the_edited_artifact_holds_the_edited_files() -> None:
    with zipfile.ZipFile(io.BytesIO(edited_artifact(PROJECT / "functions"))) as archive:
        for name, (_, new) in EDITS.items():
            assert new in archive.read(name).decode()
            assert tomllib.loads(archive.read(name).decode())


def test_everything_that_can_fail_is_sure_to_fail_once() -> None:
    assert {order.kind for order in SCHEDULE.orders} == set(KINDS)
    assert all(fault.sure_after is not None or fault.kind == "outage" for fault in SCHEDULE.aws)
    assert set(SCHEDULE.kills.values()) == set(KILLS)


def test_a_run_that_hit_everything_counts() -> None:
    close, aws = Counter(dict.fromkeys(KINDS, 1)), Counter({fault.name: 1 for fault in SCHEDULE.aws})
    kills = [Kill("sqs.SendMessage", action, 1) for action in SCHEDULE.kills.values()]
    results = Counter(created=30, recovered=10, unchanged=100, adopted=100)
    fired = Fired(close, aws, tuple(kills), Counter(CHANGES), len(SCHEDULE.hostile))
    assert list(coverage_gaps([SCHEDULE], fired, results)) == []


def test_a_run_that_hit_nothing_does_not_count() -> None:
    said = list(coverage_gaps([SCHEDULE], Fired(Counter(), Counter(), ()), Counter()))
    assert len(said) == len(KINDS) + len(SCHEDULE.aws) + 1 + len(KILLS) + 3 + len(CHANGES) + 1
    assert "Close create_then_408 struck 0 times" in said
    assert "0 of 25 kills struck" in said
    assert f"no process was killed {ProxyAction.KILL_AFTER}" in said
    assert "0 of 300 requests were recovered" in said


def test_several_runs_are_judged_together() -> None:
    """A fault that one short run misses, another one hits."""
    first, second = make_schedule("1", 60), make_schedule("2", 60)
    said = list(coverage_gaps([first, second], Fired(Counter(), Counter(), ()), Counter()))
    assert "0 of 120 requests were created" in said
    assert f"0 of {len(first.kills) + len(second.kills)} kills struck" in said
    assert f"0 of {len(first.hostile) + len(second.hostile)} hostile bodies were received" in said
    not_struck = {each.removesuffix(" struck 0 times") for each in said if each.endswith(" struck 0 times")}
    assert not_struck - {f"Close {kind}" for kind in KINDS} == {each.name for each in (*first.aws, *second.aws)}
    fired = Fired(Counter(a=1), Counter(b=1), (), Counter(c=1), 2, 1) + Fired(
        Counter(a=2), Counter(), (), Counter(), 3, 4
    )
    assert (fired.close["a"], fired.aws["b"], fired.changes["c"], fired.hostile, fired.remembered) == (3, 1, 1, 5, 5)
