"""Every request to DynamoDB as a value: its key, its condition, what it changes. The real thing proves them once."""

import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest

from provisioner import ledger_items as items
from provisioner.contract import Outcome, Result
from provisioner.plan import shared_unit, type_unit
from provisioner.records import ITSELF, Doubt, How, Lease, Made, RequestRecord, RequestState
from provisioner.spec import MAX_SHARED_FIELDS, MAX_TYPES
from tests.fakes import a_request

REQUEST = a_request(spec={"description": "d"})
RECORD = RequestRecord(REQUEST.id, "acme", "signup-8841", RequestState.ACCEPTED, accepted_at=100.5)
OUTCOME = Outcome(tenant="acme", request_id="signup-8841", result=Result.CREATED, settled_at="2027-01-15T08:00:00Z")
TIMES = items.AcceptTimes(now=100.5, due_at=190.5, expires_at=8640100.9)
TYPE_KEY = {"pk": {"S": f"TYPE#acme#{hashlib.sha256(b'account').hexdigest()}"}}
UNIT = type_unit("acme", "account")
LEASE_TIMES = items.LeaseTimes(now=100.0, until=190.0)
REQUEST_KEY = {"pk": {"S": f"REQUEST#{REQUEST.id}"}}


def names_used(request: dict[str, Any]) -> set[str]:
    expressions = (value for name, value in request.items() if name.endswith("Expression"))
    return set(re.findall(r"[:#]\w+", " ".join(expressions)))


def names_given(request: dict[str, Any]) -> set[str]:
    return {*request.get("ExpressionAttributeValues", {}), *request.get("ExpressionAttributeNames", {})}


def test_accept_puts_a_request_only_where_none_is() -> None:
    request = items.accept_input("t", REQUEST, "token-1", TIMES)

    assert request == {
        "TableName": "t",
        "Item": {
            **REQUEST_KEY,
            "tenant": {"S": "acme"},
            "request_id": {"S": "signup-8841"},
            "fingerprint": {"S": REQUEST.fingerprint},
            "body": {"S": REQUEST.to_json()},
            "state": {"S": "accepted"},
            "accept_token": {"S": "token-1"},
            "accepted_at": {"N": "100.5"},
            "unfinished": {"S": "request"},
            "due_at": {"N": "190.5"},
            "expires_at": {"N": "8640100"},
        },
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def test_lease_is_taken_only_when_free_or_expired() -> None:
    request = items.lease_input("t", UNIT, REQUEST.id, "token-1", LEASE_TIMES)

    assert request["Key"] == TYPE_KEY
    assert request["ConditionExpression"] == "attribute_not_exists(lease_until) OR lease_until < :now"
    assert request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert request["ReturnValues"] == "ALL_NEW"
    values = request["ExpressionAttributeValues"]
    assert (values[":now"], values[":until"]) == ({"N": "100"}, {"N": "190"})
    assert (values[":token"], values[":intent"]) == ({"S": "token-1"}, {"L": [{"S": REQUEST.id}]})


def test_lease_adds_its_intent_to_those_before_and_keeps_the_killed_holders_end() -> None:
    update = items.lease_input("t", UNIT, REQUEST.id, "token-1", LEASE_TIMES)["UpdateExpression"]

    assert "intents = list_append(if_not_exists(intents, :none), :intent)" in update
    assert "killed_until = if_not_exists(lease_until, :zero)" in update
    assert update.endswith("ADD attempt :one")


def test_every_unit_has_a_key_of_its_own() -> None:
    units = [f(tenant, key) for f in (type_unit, shared_unit) for tenant in ("acme", "globex") for key in ("a", "b")]

    keys = [items.unit_item_key(unit)["pk"]["S"] for unit in units]

    assert len(set(keys)) == len(units)
    assert [key.partition("#")[0] for key in keys] == ["TYPE"] * 4 + ["SHARED-FIELD"] * 4
    assert items.unit_item_key(UNIT) == TYPE_KEY
    assert len(str(items.unit_item_key(type_unit("acme", "ﷺ" * 199)))) < 200


def test_a_lease_says_what_it_is_about() -> None:
    """For people who look into the table."""
    values = items.lease_input("t", UNIT, REQUEST.id, "x", LEASE_TIMES)["ExpressionAttributeValues"]

    assert (values[":tenant"], values[":natural_key"]) == ({"S": "acme"}, {"S": "account"})


ALL_KNOWN = Lease(
    UNIT,
    attempt=7,
    killed=Doubt(20.25, ("r1", "r2")),
    doubts={"field seats": Doubt(30.5, ("r3", "r4"), lost=1)},
    made={
        ITSELF: Made("cotype_1", 10.0, How.CREATED, ("r5",)),
        "field plan": Made("cf_1", 11.0, How.FOUND, ()),
    },
    close_id="cotype_1",
    known_at=10.0,
    fresh_from=40.0,
)


def test_ending_a_lease_is_fenced_by_its_attempt() -> None:
    update = items.end_lease_update(Lease(UNIT, 7))

    assert update["Key"] == TYPE_KEY
    assert update["ConditionExpression"] == "attempt = :attempt AND attribute_exists(lease_until)"
    assert update["ExpressionAttributeValues"] == {":attempt": {"N": "7"}}
    assert update["UpdateExpression"] == (
        "SET ended = :attempt REMOVE lease_until, lease_token, killed_until, "
        "intents, doubt_since, doubts, made, close_id, known_at, fresh_from"
    )


def test_ending_a_lease_writes_all_that_is_known() -> None:
    update = items.end_lease_update(ALL_KNOWN)

    assert update["ExpressionAttributeValues"] == {
        ":attempt": {"N": "7"}, ":intents": {"L": [{"S": "r1"}, {"S": "r2"}]}, ":doubt_since": {"N": "20.25"},
        ":doubts": {"S": '{"field seats":[30.5,1,"r3","r4"]}'},
        ":made": {"S": '{"itself":["cotype_1",10.0,"created","r5"],"field plan":["cf_1",11.0,"found"]}'},
        ":close_id": {"S": "cotype_1"}, ":known_at": {"N": "10"}, ":fresh_from": {"N": "40"},
    }  # fmt: skip
    assert update["UpdateExpression"].endswith(" REMOVE lease_until, lease_token, killed_until")


@pytest.mark.parametrize(("ended", "is_ended"), [({"N": "7"}, True), ({"N": "6"}, False), (None, False)])
def test_a_lease_that_was_ended_is_known_again(ended: dict[str, str] | None, is_ended: bool) -> None:
    """The SDK sends a write again when its answer got lost: the second one meets what the first one wrote."""
    assert items.is_ended({"ended": ended} if ended else {}, Lease(UNIT, 7)) is is_ended


def test_settling_writes_outcome_and_units_together_or_nothing() -> None:
    after = [Lease(UNIT, 7), Lease(shared_unit("acme", "plan"), 3)]

    together = items.settle_input("t", RECORD, OUTCOME, after, 100.0)["TransactItems"]

    assert together[0] == {
        "Update": {
            "TableName": "t",
            "Key": REQUEST_KEY,
            "ConditionExpression": "#state = :accepted",
            "UpdateExpression": "SET #state = :settled, outcome = :outcome, due_at = :due_at",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":accepted": {"S": "accepted"},
                ":settled": {"S": "settled"},
                ":outcome": {"S": OUTCOME.to_json()},
                ":due_at": {"N": "220"},
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }
    assert together[1:] == [{"Update": {"TableName": "t", **items.end_lease_update(lease)}} for lease in after]


def test_settling_without_a_lease_touches_no_unit() -> None:
    assert len(items.settle_input("t", RECORD, OUTCOME, (), 100.0)["TransactItems"]) == 1


def test_the_largest_request_settles_in_one_transaction() -> None:
    """DynamoDB takes 100 items together."""
    units = [type_unit("a", f"{number}") for number in range(MAX_TYPES)]
    units += [shared_unit("a", f"{number}") for number in range(MAX_SHARED_FIELDS)]

    request = items.settle_input("t", RECORD, OUTCOME, [Lease(unit, 1) for unit in units], 100.0)

    assert len(request["TransactItems"]) <= 100


@pytest.mark.parametrize(
    "build", [lambda t, r, due: items.wait_input(t, r, due, "why"), lambda t, r, due: items.expect_input(t, r.id, due)]
)
def test_only_what_is_unfinished_is_expected_back(build: Any) -> None:
    request = build("t", RECORD, 1000.0)

    assert request["Key"] == REQUEST_KEY
    assert request["ConditionExpression"] == "attribute_exists(unfinished)"
    assert request["ExpressionAttributeValues"][":due_at"] == {"N": "1000"}


def test_a_long_reason_is_cut() -> None:
    values = items.wait_input("t", RECORD, 1.0, "x" * 1000)["ExpressionAttributeValues"]
    assert values[":reason"] == {"S": "x" * 300}


def test_waits_and_sweeps_are_counted() -> None:
    update = "SET due_at = :due_at, waits_because = :reason ADD waits :one"
    assert items.wait_input("t", RECORD, 1.0, "why")["UpdateExpression"] == update
    assert items.expect_input("t", RECORD.id, 1.0)["UpdateExpression"] == "SET due_at = :due_at ADD sweeps :one"


def test_what_is_announced_leaves_the_index() -> None:
    request = items.announced_input("t", RECORD)

    assert request["ConditionExpression"] == "attribute_exists(pk)"  # one that has expired does not come back
    assert request["UpdateExpression"] == "SET #state = :announced REMOVE unfinished, due_at"
    assert request["ExpressionAttributeValues"] == {":announced": {"S": "announced"}}


def test_a_pause_only_grows() -> None:
    request = items.pause_input("t", "acme", 100.0)

    assert request["Key"] == {"pk": {"S": "TENANT#acme"}}
    assert request["ConditionExpression"] == "attribute_not_exists(not_before) OR not_before < :until"


def test_overdue_asks_the_sparse_index() -> None:
    request = items.overdue_input("t", 100.0, 7)

    assert (request["IndexName"], request["Limit"]) == ("unfinished", 7)
    assert request["KeyConditionExpression"] == "unfinished = :request AND due_at < :now"


@pytest.mark.parametrize(
    "request_",
    [
        items.accept_input("t", REQUEST, "x", TIMES),
        items.lease_input("t", UNIT, "x", "y", LEASE_TIMES),
        {"TableName": "t", **items.end_lease_update(ALL_KNOWN)},
        {"TableName": "t", **items.end_lease_update(Lease(UNIT, 1))},
        items.wait_input("t", RECORD, 1, "why"),
        items.wait_input("t", RECORD, 1, "why", 2),
        items.expect_input("t", "x", 1),
        items.announced_input("t", RECORD),
        items.pause_input("t", "acme", 1),
        items.overdue_input("t", 1, 1),
        *(each["Update"] for each in items.settle_input("t", RECORD, OUTCOME, [ALL_KNOWN], 1)["TransactItems"]),
    ],
)
def test_every_name_is_defined_and_used(request_: dict[str, Any]) -> None:
    """DynamoDB refuses an expression with a name that is missing, and one that is superfluous."""
    assert names_used(request_) == names_given(request_)
    assert request_["TableName"] == "t"


def test_a_request_reads_back() -> None:
    item = items.accept_input("t", REQUEST, "x", TIMES)["Item"]

    assert items.to_record(item) == RECORD
    later = {**item, "state": {"S": "settled"}, "outcome": {"S": OUTCOME.to_json()}, "waits": {"N": "3"}}
    record = items.to_record({**later, "sweeps": {"N": "2"}})
    assert (record.state, record.outcome, record.waits, record.sweeps) == ("settled", OUTCOME, 3, 2)


def leased_item(known: Lease, killed_until: str = "0") -> dict[str, Any]:
    """The unit's item after a lease with this end, and the next lease's beginning."""
    values = items.end_lease_update(known)["ExpressionAttributeValues"]
    item = {name.removeprefix(":"): value for name, value in values.items()}
    intents = [*item.get("intents", {"L": []})["L"], {"S": "r9"}]
    return {**item, "attempt": {"N": "8"}, "intents": {"L": intents}, "killed_until": {"N": killed_until}}


@pytest.mark.parametrize("known", [Lease(UNIT, 7), ALL_KNOWN])
def test_a_lease_reads_back_what_was_known(known: Lease) -> None:
    assert items.to_lease(leased_item(known), UNIT) == replace(known, attempt=8)


def test_after_a_kill_looks_count_from_the_end_of_the_lease() -> None:
    lease = items.to_lease(leased_item(ALL_KNOWN, killed_until="50"), UNIT)

    assert lease == replace(ALL_KNOWN, attempt=8, killed=Doubt(50, ("r1", "r2")))


@pytest.mark.parametrize(
    ("request_key", "is_suspect"), [("r1", True), ("r9", True), ("r3", True), ("r5", False), ("r6", False)]
)
def test_whose_create_may_be_at_large(request_key: str, is_suspect: bool) -> None:
    """The holder's, too: whoever looks without the lease does not know what it is about to send."""
    assert items.to_known(leased_item(ALL_KNOWN), UNIT).is_suspect(request_key) is is_suspect


def test_what_was_never_leased_is_not_known() -> None:
    assert items.to_known({}, UNIT) == Lease(UNIT, attempt=0)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.0, "0"), (100.0, "100"), (1800000000.123457, "1800000000.123457"), (10, "10")]
)
def test_numbers_are_written_without_an_exponent(number: float, text: str) -> None:
    due = items.pause_input("t", "acme", number)["ExpressionAttributeValues"][":until"]

    assert due == {"N": text}
