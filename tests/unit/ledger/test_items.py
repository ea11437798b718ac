"""Every request to DynamoDB as a value: its key, condition and changes. The integration tests run them for real."""

import hashlib
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from provisioner.contract.errors import ProblemType, make_problem
from provisioner.contract.outcome import Outcome, Result
from provisioner.contract.request import request_key
from provisioner.contract.spec import MAX_SHARED_FIELDS, MAX_TYPES
from provisioner.ledger import bindings, expressions, items, unbegun, unfinished
from provisioner.ledger.acceptance import SettledAtOnce
from provisioner.ledger.history import Invocation, Run
from provisioner.ledger.in_doubt import InDoubt
from provisioner.ledger.lease import CREATE_RESOURCE, AppliedWrite, Lease, Provenance, ResourceRecord, Seen
from provisioner.ledger.models import RequestRecord, RequestState, TenantRecord
from provisioner.reconcile.plan import shared_field_resource, type_resource
from tests.fakes import a_request

REQUEST = a_request(spec={"description": "d"})
RECORD = RequestRecord(
    REQUEST.id, "acme", "signup-8841", RequestState.ACCEPTED, accepted_at=100.5, body=REQUEST.to_json()
)
OUTCOME = Outcome(tenant="acme", request_id="signup-8841", result=Result.CREATED, settled_at="2027-01-15T08:00:00Z")
TIMES = expressions.AcceptTimes(now=100.5, due_at=190.5, expires_at=8640100.9)
TYPE_KEY = {"pk": {"S": f"TYPE#acme#{hashlib.sha256(b'account').hexdigest()}"}}
ACCOUNT = type_resource("acme", "account")
DEFERRED = expressions.DeferralTimes(now=560.0, next_at=580.0, due_at=1000.0)
LEASE_TIMES = expressions.LeaseTimes(now=100.0, until=190.0)
STILL_ACCEPTED = "#state = :accepted AND accepted_at = :accepted_at"
ACCEPTED_AT = {"N": "100.5"}
REQUEST_KEY = {"pk": {"S": f"REQUEST#{REQUEST.id}"}}


def names_used(request: dict[str, Any]) -> set[str]:
    expressions = (value for name, value in request.items() if name.endswith("Expression"))
    return set(re.findall(r"[:#]\w+", " ".join(expressions)))


def names_given(request: dict[str, Any]) -> set[str]:
    return {*request.get("ExpressionAttributeValues", {}), *request.get("ExpressionAttributeNames", {})}


def test_accept_writes_a_request_only_once() -> None:
    request = expressions.accept_input("t", REQUEST, "token-1", TIMES)

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
            "list_shard": {"S": items.shard_of(REQUEST.id)},
            "asked": {"S": '[null,null,"Account"]'},
            "unfinished": {"S": items.shard_of(REQUEST.id)},
            "due_at": {"N": "190.5"},
            "expires_at": {"N": "8640100"},
        },
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def test_a_lease_is_taken_only_when_free_or_expired() -> None:
    request = expressions.lease_input("t", ACCOUNT, REQUEST.id, "token-1", LEASE_TIMES)

    assert request["Key"] == TYPE_KEY
    assert request["ConditionExpression"] == "attribute_not_exists(lease_until) OR lease_until < :now"
    assert request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert request["ReturnValues"] == "ALL_NEW"
    values = request["ExpressionAttributeValues"]
    assert (values[":now"], values[":until"]) == ({"N": "100"}, {"N": "190"})
    assert (values[":token"], values[":intent"]) == ({"S": "token-1"}, {"L": [{"S": f"190.000000 {REQUEST.id}"}]})


def test_lease_adds_its_intent_and_its_end_to_those_before() -> None:
    written = expressions.lease_input("t", ACCOUNT, REQUEST.id, "token-1", LEASE_TIMES)
    update, values = written["UpdateExpression"], written["ExpressionAttributeValues"]

    assert "intents = list_append(if_not_exists(intents, :none), :intent)" in update
    assert update.endswith("ADD fencing_token :one")
    assert values[":intent"] == {"L": [{"S": f"{LEASE_TIMES.until:.6f} {REQUEST.id}"}]}


def test_every_resource_has_a_key_of_its_own() -> None:
    resources = [
        f(tenant, key)
        for f in (type_resource, shared_field_resource)
        for tenant in ("acme", "globex")
        for key in ("a", "b")
    ]

    keys = [items.resource_item_key(resource)["pk"]["S"] for resource in resources]

    assert len(set(keys)) == len(resources)
    assert [key.partition("#")[0] for key in keys] == ["TYPE"] * 4 + ["SHARED-FIELD"] * 4
    assert items.resource_item_key(ACCOUNT) == TYPE_KEY
    assert len(str(items.resource_item_key(type_resource("acme", "ﷺ" * 199)))) < 200


def test_a_lease_names_its_resource() -> None:
    """For operators who read the table."""
    values = expressions.lease_input("t", ACCOUNT, REQUEST.id, "x", LEASE_TIMES)["ExpressionAttributeValues"]

    assert (values[":organization"], values[":natural_key"]) == ({"S": "acme"}, {"S": "account"})


ALL_KNOWN = ResourceRecord(
    ACCOUNT,
    fencing_token=7,
    orphaned=(InDoubt(20.25, "r1"), InDoubt(21.5, "r2")),
    in_doubt={"field:seats": (InDoubt(29.0, "r3"), InDoubt(30.5, "r4", lost=True))},
    writes={
        CREATE_RESOURCE: AppliedWrite("cotype_1", 10.0, Provenance.CREATED, ("r5",)),
        "field:plan": AppliedWrite("cf_1", 11.0, Provenance.OBSERVED, ()),
    },
    close_id="cotype_1",
    last_observed_at=10.0,
    reads_valid_from=40.0,
    observations={"f00d": Seen(12.0, "{}"), "feed": Seen(13.5)},
)


def test_the_release_of_a_lease_is_fenced_by_its_token() -> None:
    update = expressions.release_lease_update(Lease(ResourceRecord(ACCOUNT, 7)))

    assert update["Key"] == TYPE_KEY
    assert update["ConditionExpression"] == "fencing_token = :fencing_token AND attribute_exists(lease_until)"
    assert update["ExpressionAttributeValues"] == {":fencing_token": {"N": "7"}}
    assert update["UpdateExpression"] == (
        "SET released = :fencing_token REMOVE lease_until, lease_token, "
        "intents, in_doubt, writes, close_id, last_observed_at, reads_valid_from, observations"
    )


def test_the_release_of_a_lease_writes_the_whole_record() -> None:
    update = expressions.release_lease_update(Lease(ALL_KNOWN))

    assert update["ExpressionAttributeValues"] == {
        ":fencing_token": {"N": "7"}, ":intents": {"L": [{"S": "20.250000 r1"}, {"S": "21.500000 r2"}]},
        ":in_doubt": {"S": '{"field:seats":[[29.0,"r3",false],[30.5,"r4",true]]}'},
        ":writes": {"S": '{"create":["cotype_1",10.0,"created","r5"],"field:plan":["cf_1",11.0,"observed"]}'},
        ":close_id": {"S": "cotype_1"}, ":last_observed_at": {"N": "10"}, ":reads_valid_from": {"N": "40"},
        ":observations": {"S": '{"f00d":[12.0,"{}"],"feed":[13.5,""]}'},
    }  # fmt: skip
    assert update["UpdateExpression"].endswith(" REMOVE lease_until, lease_token")


@pytest.mark.parametrize(("ended", "is_ended"), [({"N": "7"}, True), ({"N": "6"}, False), (None, False)])
def test_a_released_lease_is_recognized(ended: dict[str, str] | None, is_ended: bool) -> None:
    """The SDK resends a write after a lost response: the second one finds the item of the first."""
    assert items.is_released({"released": ended} if ended else {}, Lease(ResourceRecord(ACCOUNT, 7))) is is_ended


def test_settling_writes_outcome_and_resources_in_one_transaction() -> None:
    after = [Lease(ResourceRecord(ACCOUNT, 7)), Lease(ResourceRecord(shared_field_resource("acme", "plan"), 3))]

    together = expressions.settle_input("t", RECORD, OUTCOME, after, 100.0)["TransactItems"]

    assert together[0] == {
        "Update": {
            "TableName": "t",
            "Key": REQUEST_KEY,
            "ConditionExpression": STILL_ACCEPTED,
            "UpdateExpression": "SET #state = :settled, outcome = :outcome, settled_as = :as",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":accepted": {"S": "accepted"},
                ":accepted_at": ACCEPTED_AT,
                ":settled": {"S": "settled"},
                ":outcome": {"S": OUTCOME.to_json()},
                ":as": {"S": '[1800000000.0,"created",null]'},
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }
    assert together[1:] == [
        {"Update": {"TableName": "t", **expressions.release_lease_update(lease)}} for lease in after
    ]


@pytest.mark.parametrize("waited", [{"deferrals": 1}, {"sweeps": 1}])
def test_a_request_that_may_be_due_much_later_is_due_soon_once_it_is_settled(waited: dict[str, int]) -> None:
    record = replace(RECORD, **waited)  # type: ignore[arg-type]
    update = expressions.settle_input("t", record, OUTCOME, (), 100.0)["TransactItems"][0]["Update"]
    assert ", due_at = :due_at" in update["UpdateExpression"]
    assert update["ExpressionAttributeValues"][":due_at"] == {"N": "220"}


def test_settling_without_a_lease_writes_no_resource() -> None:
    assert len(expressions.settle_input("t", RECORD, OUTCOME, (), 100.0)["TransactItems"]) == 1


def test_the_largest_request_settles_in_one_transaction() -> None:
    """DynamoDB takes 100 items together."""
    resources = [type_resource("a", f"{number}") for number in range(MAX_TYPES)]
    resources += [shared_field_resource("a", f"{number}") for number in range(MAX_SHARED_FIELDS)]

    request = expressions.settle_input(
        "t", RECORD, OUTCOME, [Lease(ResourceRecord(resource, 1)) for resource in resources], 100.0
    )

    assert len(request["TransactItems"]) + 1 <= 100  # or as many checks, and one of the tenant


@pytest.mark.parametrize(
    "build",
    [
        lambda t, r, due: expressions.deferral_input(t, r, expressions.DeferralTimes(560.0, 580.0, due), "reason"),
        lambda t, r, due: expressions.postpone_input(t, r.id, due),
    ],
)
def test_only_unfinished_requests_have_an_expected_time(build: Any) -> None:
    request = build("t", RECORD, 1000.0)

    assert request["Key"] == REQUEST_KEY
    assert request["ConditionExpression"].startswith("attribute_exists(unfinished)")
    assert request["ExpressionAttributeValues"][":due_at"] == {"N": "1000"}


def test_a_long_reason_is_cut() -> None:
    values = expressions.deferral_input("t", RECORD, DEFERRED, "x" * 1000)["ExpressionAttributeValues"]
    assert values[":reason"] == {"S": "x" * 300}


def test_deferrals_and_sweeps_are_counted() -> None:
    deferral = expressions.deferral_input("t", RECORD, DEFERRED, "reason")
    update = "SET due_at = :due_at, next_at = :next_at, pending_reason = :reason ADD deferrals :one"
    assert deferral["UpdateExpression"] == update
    assert deferral["ExpressionAttributeValues"][":next_at"] == {"N": "580"}
    assert expressions.postpone_input("t", RECORD.id, 1.0)["UpdateExpression"] == "SET due_at = :due_at ADD sweeps :one"


def test_a_published_request_leaves_the_index() -> None:
    request = expressions.mark_published_input("t", RECORD)

    # one that has expired does not come back, and one that was forgotten and accepted again is another request
    assert request["ConditionExpression"] == "attribute_exists(outcome) AND accepted_at = :accepted_at"
    assert request["UpdateExpression"] == "SET #state = :announced REMOVE unfinished, due_at"
    assert request["ExpressionAttributeValues"] == {":announced": {"S": "announced"}, ":accepted_at": ACCEPTED_AT}


def test_a_request_begins_to_write_unless_it_is_settled_and_settles_unseen_unless_it_began() -> None:
    begin = unbegun.begin_input("t", RECORD)
    settle = unbegun.settle_unbegun_input("t", RECORD, OUTCOME, 1)

    assert (begin["ConditionExpression"], begin["UpdateExpression"]) == (STILL_ACCEPTED, "SET begun = :begun")
    assert settle["ConditionExpression"] == f"{STILL_ACCEPTED} AND attribute_not_exists(begun)"
    assert begin["ReturnValuesOnConditionCheckFailure"] == settle["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_a_request_that_is_settled_when_it_is_accepted_has_all_that_a_settlement_writes() -> None:
    run = Run(100.0, 1, Invocation("queue"), ())
    record = replace(RECORD, run=run, deferrals=1)
    settle = expressions.settle_input("t", record, OUTCOME, [], 101.0)["TransactItems"][0]["Update"]
    values = settle["ExpressionAttributeValues"]

    assert SettledAtOnce(OUTCOME, run).attributes(101.0) == {
        "state": values[":settled"],
        "outcome": values[":outcome"],
        "settled_as": values[":as"],
        "due_at": values[":due_at"],
        "history": values[":attempt"],
    }
    assert settle["UpdateExpression"].count(" = ") == 5, "another attribute: add it there, too"


def test_a_pause_only_grows() -> None:
    request = expressions.pause_input("t", items.organization_item_key("acme"), 100.0)

    assert request["Key"] == {"pk": {"S": "ORGANIZATION#acme"}}
    assert request["ConditionExpression"] == "attribute_not_exists(not_before) OR not_before < :until"


def test_overdue_requests_are_read_from_the_sparse_index() -> None:
    request = unfinished.overdue_input("t", 3, 100.0, 7)

    assert (request["IndexName"], request["Limit"]) == ("unfinished", 7)
    assert request["KeyConditionExpression"] == "unfinished = :shard AND due_at < :now"
    assert request["ExpressionAttributeValues"][":shard"] == {"S": "request-3"}


def test_the_sparse_index_has_no_hot_partition_key() -> None:
    shards = Counter(items.shard_of(request_key("acme", f"signup-{each}")) for each in range(8_000))

    assert shards.keys() == {items.shard(each) for each in range(items.SHARDS)}
    assert max(shards.values()) < 1.2 * 8_000 / items.SHARDS


@pytest.mark.parametrize(
    "request_",
    [
        expressions.accept_input("t", REQUEST, "x", TIMES),
        expressions.lease_input("t", ACCOUNT, "x", "y", LEASE_TIMES),
        {"TableName": "t", **expressions.release_lease_update(Lease(ALL_KNOWN))},
        {"TableName": "t", **expressions.release_lease_update(Lease(ResourceRecord(ACCOUNT, 1)))},
        expressions.deferral_input("t", RECORD, DEFERRED, "reason"),
        expressions.deferral_input("t", RECORD, DEFERRED, "reason", 2),
        expressions.postpone_input("t", "x", 1),
        expressions.mark_published_input("t", RECORD),
        expressions.pause_input("t", items.organization_item_key("acme"), 1),
        bindings.bind_input("t", TenantRecord("acme"), "orga_1"),
        bindings.bind_input("t", TenantRecord("acme", "orga_1", ("orga_0",)), "orga_2"),
        expressions.unchanged_check("t", TenantRecord("acme"))["ConditionCheck"],
        expressions.unchanged_check("t", TenantRecord("acme", "orga_1"))["ConditionCheck"],
        expressions.unchanged_check("t", ResourceRecord(ACCOUNT))["ConditionCheck"],
        expressions.unchanged_check("t", ResourceRecord(ACCOUNT, 7))["ConditionCheck"],
        unfinished.overdue_input("t", 0, 1, 1),
        unbegun.begin_input("t", RECORD),
        unbegun.unbegin_input("t", RECORD),
        unbegun.settle_unbegun_input("t", RECORD, OUTCOME, 1),
        bindings.unbind_input("t", TenantRecord("acme", "orga_1"), 1),
        *(
            each["Update"]
            for each in expressions.settle_input("t", RECORD, OUTCOME, [Lease(ALL_KNOWN)], 1)["TransactItems"]
        ),
    ],
)
def test_every_name_is_defined_and_used(request_: dict[str, Any]) -> None:
    """DynamoDB rejects an expression with a missing or an unused name."""
    assert names_used(request_) == names_given(request_)
    assert request_["TableName"] == "t"


def test_a_request_reads_back() -> None:
    item = expressions.accept_input("t", REQUEST, "x", TIMES)["Item"]

    assert items.to_record(item) == RECORD
    later = {**item, "state": {"S": "settled"}, "outcome": {"S": OUTCOME.to_json()}, "deferrals": {"N": "3"}}
    record = items.to_record({**later, "sweeps": {"N": "2"}})
    assert (record.state, record.outcome, record.deferrals, record.sweeps) == ("settled", OUTCOME, 3, 2)


def leased_item(known: ResourceRecord) -> dict[str, Any]:
    """The resource's item after this lease, and after the next one began."""
    values = expressions.release_lease_update(Lease(known))["ExpressionAttributeValues"]
    item = {name.removeprefix(":"): value for name, value in values.items()}
    intents = [*item.get("intents", {"L": []})["L"], {"S": "99.000000 r9"}]
    return {**item, "fencing_token": {"N": "8"}, "intents": {"L": intents}}


@pytest.mark.parametrize("known", [ResourceRecord(ACCOUNT, 7), ALL_KNOWN])
def test_a_lease_reads_back_the_record(known: ResourceRecord) -> None:
    assert items.to_lease(leased_item(known), ACCOUNT).record == replace(known, fencing_token=8)


def test_after_a_kill_observations_count_from_the_end_of_the_lease() -> None:
    record = items.to_resource_record(leased_item(ALL_KNOWN), ACCOUNT)

    assert record.orphaned == (*ALL_KNOWN.orphaned, InDoubt(99, "r9"))


@pytest.mark.parametrize(
    ("known", "condition", "values"),
    [
        (ResourceRecord(ACCOUNT), "attribute_not_exists(fencing_token)", None),
        (ResourceRecord(ACCOUNT, 7), "fencing_token = :fencing_token", {":fencing_token": {"N": "7"}}),
        (TenantRecord("acme"), "attribute_not_exists(organization)", None),
        (TenantRecord("acme", "orga_1"), "organization = :known", {":known": {"S": "orga_1"}}),
    ],
)
def test_a_record_is_unchanged_if_no_lease_was_taken_and_no_organization_bound_since(
    known: ResourceRecord | TenantRecord, condition: str, values: dict[str, Any] | None
) -> None:
    check = expressions.unchanged_check("t", known)["ConditionCheck"]

    assert check["Key"] == (TYPE_KEY if isinstance(known, ResourceRecord) else {"pk": {"S": "TENANT#acme"}})
    assert (check["ConditionExpression"], check.get("ExpressionAttributeValues")) == (condition, values)


def test_binding_keeps_the_organizations_of_before_once_each() -> None:
    first = bindings.bind_input("t", TenantRecord("acme"), "orga_1")
    back = bindings.bind_input("t", TenantRecord("acme", "orga_2", ("orga_1", "orga_0")), "orga_1")

    assert first["ConditionExpression"] == "attribute_not_exists(organization)"
    assert back["ConditionExpression"] == "organization = :known"
    assert back["ExpressionAttributeValues"][":earlier"] == {"L": [{"S": "orga_2"}, {"S": "orga_0"}]}
    assert items.to_tenant_record({}, "acme") == TenantRecord("acme")


@pytest.mark.parametrize(
    ("request_key", "may_have_created"), [("r1", True), ("r9", True), ("r3", True), ("r5", False), ("r6", False)]
)
def test_a_record_lists_the_requests_in_doubt(request_key: str, may_have_created: bool) -> None:
    """The holder counts too: a reader without the lease cannot know which writes it is about to send."""
    assert items.to_resource_record(leased_item(ALL_KNOWN), ACCOUNT).may_have_created(request_key) is may_have_created


def test_a_resource_that_was_never_leased_has_an_empty_record() -> None:
    assert items.to_resource_record({}, ACCOUNT) == ResourceRecord(ACCOUNT)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.0, "0"), (100.0, "100"), (1800000000.123457, "1800000000.123457"), (10, "10")]
)
def test_numbers_are_written_without_an_exponent(number: float, text: str) -> None:
    due = expressions.pause_input("t", items.organization_item_key("acme"), number)["ExpressionAttributeValues"][
        ":until"
    ]

    assert due == {"N": text}


def test_the_lists_show_the_problem_of_an_outcome() -> None:
    problem = make_problem(ProblemType.PLAN_LIMIT, "d")
    failed = OUTCOME.model_copy(update={"result": Result.FAILED, "problem": problem})
    assert items.settled_as_json(failed) == '[1800000000.0,"failed","plan-limit"]'
