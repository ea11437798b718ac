"""Clear: bad input gets a precise refusal with a pointer to the fault."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.faults import MAX_ERRORS
from provisioner.contract.request import MAX_BODY_BYTES, ProvisioningRequest
from provisioner.contract.validation import parse_request

SPEC = {"name": "Account", "name_plural": "Accounts"}
GOOD: dict[str, Any] = {"tenant": "acme", "request_id": "1", "custom_object_type": SPEC}


def pointers(body: object, **further: Any) -> dict[str, str]:
    """Return the details of the rejection by JSON pointer. ``body``: bytes or a string are sent unchanged, the rest
    as JSON.
    """
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    with pytest.raises(Rejected) as caught:
        parse_request(text, **further)
    assert caught.value.kind is ProblemType.INVALID_REQUEST
    assert caught.value.problem.status == 400
    return {each.pointer: each.detail for each in caught.value.problem.errors}


def with_spec(**changes: object) -> dict[str, Any]:
    return {**GOOD, "custom_object_type": {**SPEC, **changes}}


@pytest.mark.parametrize("encode", [json.dumps, lambda body: json.dumps(body).encode()], ids=["text", "bytes"])
def test_a_valid_body_is_parsed(encode: Any) -> None:
    request = parse_request(encode({**GOOD, "if_exists": "fail"}))

    assert (request.tenant, request.request_id, request.if_exists) == ("acme", "1", "fail")
    assert request.types[0].desired() == SPEC


def test_every_key_is_parsed() -> None:
    spec = {**SPEC, "description": "d", "api_create_only": True, "editable_with_roles": ["admin", "role_1"]}

    assert parse_request(json.dumps(with_spec(**spec))).types[0].desired() == spec


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"/request_id"}),
        ({"request_id": "1"}, {""}),
        ({**GOOD, "custom_object_type": {}}, {"/custom_object_type/name", "/custom_object_type/name_plural"}),
        ({**GOOD, "custom_object_type": None}, {""}),
        ({**GOOD, "custom_object_type": "Account"}, {"/custom_object_type"}),
        ({**GOOD, "custom_object_type": [SPEC]}, {"/custom_object_type"}),
        ({**GOOD, "tenant": "a b"}, {"/tenant"}),
        ({**GOOD, "tenant": "../other"}, {"/tenant"}),
        ({**GOOD, "request_id": ""}, {"/request_id"}),
        ({**GOOD, "request_id": 7}, {"/request_id"}),
        ({**GOOD, "request_id": None}, {"/request_id"}),
        ({**GOOD, "request_id": "x" * 129}, {"/request_id"}),
        ({**GOOD, "if_exists": "replace"}, {"/if_exists"}),
        ({**GOOD, "custom_object_typ": SPEC}, {"/custom_object_typ"}),
        ({**GOOD, "a/b~c": 1}, {"/a~1b~0c"}),
        ({**GOOD, "": 1}, {"/"}),
        (with_spec(name=""), {"/custom_object_type/name"}),
        (with_spec(name=7), {"/custom_object_type/name"}),
        (with_spec(name=None), {"/custom_object_type/name"}),
        (with_spec(name="a\u0000"), {"/custom_object_type/name"}),
        (with_spec(name="x" * 201, name_plural=" "), {"/custom_object_type/name", "/custom_object_type/name_plural"}),
        (with_spec(description=7), {"/custom_object_type/description"}),
        (with_spec(description="x" * 2001), {"/custom_object_type/description"}),
        (with_spec(api_create_only="yes"), {"/custom_object_type/api_create_only"}),
        (with_spec(api_create_only=1), {"/custom_object_type/api_create_only"}),
        (with_spec(editable_with_roles="admin"), {"/custom_object_type/editable_with_roles"}),
        (with_spec(editable_with_roles=["a", 7, ""]),
         {"/custom_object_type/editable_with_roles/1", "/custom_object_type/editable_with_roles/2"}),
        (with_spec(fields={}), {"/custom_object_type/fields"}),
        (with_spec(fields=[{}]), {"/custom_object_type/fields/0/name", "/custom_object_type/fields/0/type"}),
    ],
)  # fmt: skip
def test_every_fault_has_a_pointer(body: dict[str, Any], expected: set[str]) -> None:
    assert pointers(body).keys() == expected


def test_details_say_how_to_fix_the_fault() -> None:
    said = pointers({"tenant": "a b", "if_exists": "replace", "custom_object_type": {"name": "a\u0007", "x": 1}})

    assert said["/tenant"] == "must be 1-128 characters: A-Z a-z 0-9 . _ : -"
    assert said["/request_id"] == "is required, here or as the Idempotency-Key header"
    assert said["/if_exists"] == "Input should be 'adopt', 'update' or 'fail'"
    assert said["/custom_object_type/name"] == "must not contain control characters, noncharacters or lone surrogates"
    assert said["/custom_object_type/name_plural"] == "Field required"
    assert said["/custom_object_type/x"] == "unknown key"


def test_the_message_names_the_first_three_faults() -> None:
    with pytest.raises(Rejected) as caught:
        parse_request(json.dumps({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, **GOOD}))

    assert str(caught.value) == "/a: unknown key; /b: unknown key; /c: unknown key; and 2 more."


@pytest.mark.parametrize("value", [5, None, {}, [5], ["x", "\u0007"], ["x"] * 501, "", {"text": "x"}])
def test_a_value_of_several_allowed_kinds_has_one_fault_at_its_own_pointer(value: object) -> None:
    said = pointers({"request_id": "1", "blueprint": "account", "values": {"product": value}})

    [pointer] = said
    assert pointer in {"/values/product", "/values/product/0", "/values/product/1"}


def test_details_are_free_of_pythons_terms() -> None:
    bodies: list[dict[str, Any]] = [
        {**GOOD, "values": []},
        {**GOOD, "values": {"x": 5}},
        {**GOOD, "allow_partial": "yes"},
        {**GOOD, "custom_object_types": []},
        {**GOOD, "custom_object_types": {}},
        {**GOOD, "custom_object_types": [SPEC] * 26},
        {**GOOD, "custom_object_type": []},
        {**GOOD, "custom_object_type": {**SPEC, "name": "x" * 1000, "fields": [{"name": "", "type": "nonsense"}]}},
        {**GOOD, "blueprint": "Ä", "plan_digest": "Ä"},
    ]
    for body in bodies:
        for pointer, detail in pointers(body).items():
            assert not re.search(
                r"tuple|dict|mapping|function|pattern|[\[\]{}]", f"{pointer} {detail}", re.IGNORECASE
            ), detail


def test_a_body_of_many_faults_gets_a_bounded_response() -> None:
    assert len(pointers(GOOD | {f"key{number}": 1 for number in range(1000)})) == MAX_ERRORS


def test_sent_values_are_not_echoed() -> None:
    said = pointers({**GOOD, "tenant": "a secret name", "custom_object_type": {**SPEC, "description": ["s3cret"]}})

    assert "secret" not in str(said)
    assert "s3cret" not in str(said)


@pytest.mark.parametrize(
    "body",
    [
        "", " ", "{", "nonsense", "{'tenant': 'acme'}", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1,}', "\ufeff{}",
        b"", b"\xff\xfe", b'{"tenant": "\xff"}', b'{"tenant": "\xc3\x28"}', "1" * 5000, '{"a": ' + "9" * 5000 + "}",
        "[" * 100_000, '{"a":' * 20_000,
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_a_body_that_is_not_json_is_rejected(body: str | bytes) -> None:
    [(pointer, detail)] = pointers(body).items()
    assert pointer == ""
    assert detail.startswith("invalid JSON: ")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("", "invalid JSON: the body is empty"),
        ('{\n "a": 1,\n}', "invalid JSON: Illegal trailing comma before end of object, at line 2, column 8"),
        ('{"a": NaN}', "invalid JSON: NaN is not allowed"),
        (b"\xff", "invalid JSON: not UTF-8"),
        ('{"a": {"b": 1, "b": 2}}', "invalid JSON: duplicate key 'b'"),
        ("[" * 100_000, "invalid JSON: nested too deeply"),
        ("1" * 5000, "invalid JSON: a number is too long"),
    ],
)
def test_the_rejection_says_why_a_body_is_not_json(body: str | bytes, detail: str) -> None:
    assert pointers(body) == {"": detail}


@pytest.mark.parametrize("body", ["null", "true", "7", '"text"', "[]", "[{}]"])
def test_json_that_is_not_an_object_is_rejected(body: str) -> None:
    assert pointers(body) == {"": "must be a JSON object"}


@pytest.mark.parametrize("depth", [250, 900, 9_000, *range(9_900, 10_100, 7), 50_000])
def test_no_depth_of_nesting_breaks_the_parser(depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        nested = opening * depth + "1" + closing * depth
        if len(nested) < MAX_BODY_BYTES - 100:
            assert pointers('{"custom_object_type": ' + nested + "}")


@pytest.mark.parametrize("escape", [r"\ud800", r"\udfff", r"\ude00\ud83d"])
def test_lone_surrogates_are_rejected(escape: str) -> None:
    assert pointers(json.dumps(GOOD).replace("Account", escape))


def test_a_duplicate_key_is_rejected() -> None:
    for body in (
        '{"tenant": "globex", ' + json.dumps(GOOD)[1:],
        json.dumps(GOOD).replace('"name":', '"name": "Konto", "name":'),
    ):
        assert pointers(body)[""].startswith("invalid JSON: duplicate key ")


@pytest.mark.parametrize("body", ["x" * (MAX_BODY_BYTES + 1), b"x" * (MAX_BODY_BYTES + 1)])
def test_a_body_that_is_too_large_is_rejected(body: str | bytes) -> None:
    with pytest.raises(Rejected) as caught:
        parse_request(body)

    assert (caught.value.kind, caught.value.problem.status) == (ProblemType.BODY_TOO_LARGE, 413)


def test_the_largest_body_is_read() -> None:
    body = json.dumps(GOOD)

    assert parse_request(body + " " * (MAX_BODY_BYTES - len(body))).request_id == "1"


WITHOUT_ID = {"custom_object_type": SPEC}


class TestSourceOfTheRequestId:
    def test_the_body_may_hold_it(self) -> None:
        assert parse_request(json.dumps(GOOD), fallback_id="message-1").request_id == "1"

    def test_the_header_may_hold_it(self) -> None:
        assert parse_request(json.dumps(WITHOUT_ID), key="key-1").request_id == "key-1"

    def test_body_and_header_may_agree(self) -> None:
        assert parse_request(json.dumps(GOOD), key="1").request_id == "1"

    def test_the_message_id_is_the_fallback(self) -> None:
        assert parse_request(json.dumps(WITHOUT_ID), fallback_id="message-1").request_id == "message-1"

    @pytest.mark.parametrize("request_id", ["2", 1, ""])
    def test_body_and_header_must_not_differ(self, request_id: object) -> None:
        said = pointers({**GOOD, "request_id": request_id}, key="1")
        assert said == {"/request_id": "differs from the Idempotency-Key header"}

    def test_a_missing_id_is_rejected(self) -> None:
        assert pointers(WITHOUT_ID) == {"/request_id": "is required, here or as the Idempotency-Key header"}

    def test_field_21_null_means_left_out(self) -> None:
        body = json.dumps({**WITHOUT_ID, "request_id": None})

        assert parse_request(body, key="key-1").request_id == "key-1"
        assert parse_request(body, fallback_id="message-1").request_id == "message-1"

    @pytest.mark.parametrize("key", ["", "a b", "x" * 129, "a/b"])
    def test_an_invalid_header_is_rejected(self, key: str) -> None:
        assert pointers(WITHOUT_ID, key=key).keys() == {"/request_id"}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "tenant": JSON_VALUES | st.just("acme"),
        "request_id": JSON_VALUES | st.just("1"),
        "if_exists": JSON_VALUES | st.sampled_from(["adopt", "update", "fail"]),
        "custom_object_type": JSON_VALUES
        | st.fixed_dictionaries({"name": JSON_VALUES, "name_plural": st.text()}, optional={"description": JSON_VALUES}),
    },
)


def check(body: str | bytes) -> None:
    """Any input gives a valid request or a valid rejection."""
    try:
        request = parse_request(body, fallback_id="message-1")
    except Rejected as error:
        problem = error.problem
    else:
        assert ProvisioningRequest.model_validate_json(request.to_json()).fingerprint == request.fingerprint
        return
    assert problem.errors
    assert problem.model_dump_json().encode()


@given(st.binary())
def test_no_bytes_break_the_parser(body: bytes) -> None:
    check(body)


@given(st.text())
def test_no_string_breaks_the_parser(body: str) -> None:
    check(body)


@given(BODIES)
def test_no_json_breaks_the_parser(body: dict[str, Any]) -> None:
    check(json.dumps(body))
