"""The query of a list: each parameter, and each fault of one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.contract.errors import Rejected
from provisioner.ledger.request_lists import ListedRequest, Span
from provisioner.operate.request_filter import Position, State, parse_filter

NOW, OLDEST = 1_800_000_000.0, 1_792_224_000.0
CREATED = ListedRequest(
    "c" * 32, "acme", "r-1", 1_799_999_000.0, "Account", "webhook", "source:stripe", "created", None, 1_799_999_001.0
)


def test_without_parameters_everything_is_listed() -> None:
    found = parse_filter({}, OLDEST, NOW, None)

    assert (found.span, found.limit, found.after, found.tenant) == (Span(OLDEST, NOW), 50, None, None)
    assert found.takes(CREATED, State.ANNOUNCED)


@pytest.mark.parametrize(
    ("query", "takes"),
    [
        ({"state": ["announced"]}, True),
        ({"state": ["waiting", "announced"]}, True),
        ({"state": ["settled"]}, False),
        ({"result": ["created"]}, True),
        ({"result": ["failed", "unresolved"]}, False),
        ({"problem": ["plan-limit"]}, False),
        ({"source": ["stripe"]}, True),
        ({"source": ["clerk", "stripe"]}, True),
        ({"source": ["clerk"]}, False),
        ({"result": ["created"], "source": ["clerk"]}, False),
    ],
)
def test_each_parameter_filters(query: dict[str, list[str]], takes: bool) -> None:
    assert parse_filter(query, OLDEST, NOW, None).takes(CREATED, State.ANNOUNCED) is takes


def test_times_have_an_offset_and_stay_within_what_is_kept() -> None:
    query = {"since": ["2027-01-15T07:00:00+00:00"], "until": ["2027-01-15T08:30:00+01:00"]}
    assert parse_filter(query, OLDEST, NOW, None).span == Span(NOW - 3600, NOW - 1800)
    assert parse_filter({"since": ["2001-01-01T00:00:00Z"]}, OLDEST, NOW, None).span.since == OLDEST


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"tenants": ["acme"]}, "tenants: unknown parameter; known: cursor, limit, problem, result, since,"),
        ({"state": ["accepted"]}, "state: must be one of waiting, settled, announced"),
        ({"result": ["created", "done"]}, "result: must be one of created, "),
        ({"problem": ["urn:close-provisioner:problem:plan-limit"]}, "problem: must be one of "),
        ({"source": ["Stripe"]}, "source: must be the name of a source"),
        ({"tenant": ["a b"]}, "tenant: must be 1 to 128"),
        ({"tenant": ["a", "a"]}, "tenant: must be given once"),
        ({"limit": ["0"]}, "limit: must be a whole number from 1 to 200"),
        ({"limit": ["201"]}, "limit: must be"),
        ({"limit": ["٣"]}, "limit: must be"),
        ({"since": ["yesterday"]}, "since: must be a time with its offset"),
        ({"until": ["2027-01-15T08:30:00"]}, "until: must be a time with its offset"),
        ({"cursor": ["x"]}, "cursor: must be the value of next"),
        ({"cursor": [base64.urlsafe_b64encode(b"[NaN, ''").decode()]}, "cursor: must be"),
        ({"cursor": [base64.urlsafe_b64encode(b'[Infinity, ""]').decode()]}, "cursor: must be"),
        ({"cursor": [base64.urlsafe_b64encode(b"[1.5, 7]").decode()]}, "cursor: must be"),
    ],
)
def test_a_fault_names_its_parameter(query: dict[str, list[str]], fault: str) -> None:
    with pytest.raises(Rejected) as rejected:
        parse_filter(query, OLDEST, NOW, None)
    [error] = rejected.value.problem.errors
    assert error.detail.startswith(fault)
    assert rejected.value.problem.status == 400


def test_the_tenant_of_the_path_cannot_be_changed() -> None:
    assert parse_filter({}, OLDEST, NOW, "acme").tenant == "acme"
    assert parse_filter({"tenant": ["acme"]}, OLDEST, NOW, "acme").tenant == "acme"
    with pytest.raises(Rejected, match="differs from the tenant in the path"):
        parse_filter({"tenant": ["globex"]}, OLDEST, NOW, "acme")


@given(st.floats(0, 9e10), st.text("0123456789abcdef", min_size=32, max_size=32))
def test_a_cursor_is_read_as_it_was_written(accepted_at: float, request_key: str) -> None:
    position = Position(accepted_at, request_key)
    found = parse_filter({"cursor": [position.as_cursor()]}, 0, 1e11, None)
    assert found.after == position
    assert found.span.until == accepted_at


@given(st.dictionaries(st.sampled_from(["cursor", "since", "until", "limit", "tenant"]), st.lists(st.text())))
def test_any_query_is_read_or_rejected(query: dict[str, list[str]]) -> None:
    try:
        parse_filter(query, OLDEST, NOW, None)
    except Rejected as rejection:
        assert rejection.problem.status == 400  # noqa: PT017 - most texts are rejected, some are not
