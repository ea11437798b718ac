"""No body of at most 256 KiB takes much time or memory, valid or not, and no rejection keeps more than its details."""

import gc
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from provisioner.contract.errors import Rejected
from provisioner.contract.faults import MAX_ERRORS
from provisioner.contract.request import MAX_BODY_BYTES, ProvisioningRequest
from provisioner.contract.validation import parse_request

MAX_MEMORY = 20_000_000
MAX_CPU_SECONDS = 0.5
"""Ten times what a body of this size may take on an idle machine: a test machine has other work."""

TYPE = '"name": "Account", "name_plural": "Accounts"'


def filled(start: str, entry: str, end: str, separator: str = ",") -> str:
    """The text with as many entries as fit."""
    room = MAX_BODY_BYTES - len(start.encode()) - len(end.encode())
    number = room // len((entry + separator).encode())
    return start + separator.join([entry] * number) + end


def keys(start: str, value: str, end: str) -> str:
    """The text with as many different keys as fit."""
    room = MAX_BODY_BYTES - len(start) - len(end)
    return start + ",".join(f'"{number:05}":{value}' for number in range(room // (9 + len(value)))) + end


def type_with(fields: str) -> str:
    return '{"request_id": "1", "custom_object_type": {' + TYPE + ', "fields": [' + fields + "]}}"


def every_type_with(field: str) -> str:
    fields = ",".join([field] * 200)
    types = ",".join(["{" + TYPE + ', "fields": [' + fields + "]}"] * 25)
    return '{"request_id": "1", "custom_object_types": [' + types + "]}"


def choices(entry: str) -> str:
    """Types with fields of 500 choices each, which the bounds allow."""
    field = '{"name": "Stage", "type": "choices", "choices": [' + ",".join([entry] * 500) + "]}"
    fields = filled("", field, "", ",")[: MAX_BODY_BYTES - 1000]
    return type_with(fields[: fields.rindex("]}") + 2])


FIELD = {"name": "Stage", "type": "choices", "choices": ["a"]}
SPEC = {"name": "Account", "name_plural": "Accounts"}


def numbered(number: int) -> list[str]:
    return [f"n{index}" for index in range(number)]


BODIES: dict[str, Callable[[], str]] = {
    "empty fields": lambda: filled(type_with("")[:-3], "{}", "]}}"),
    "empty fields of every type": lambda: every_type_with("{}"),
    "numbers as fields of every type": lambda: every_type_with("1"),
    "fields of wrong values": lambda: every_type_with('{"name":1,"type":2}'),
    "empty types": lambda: filled('{"custom_object_types": [', "{}", "]}"),
    "numbers as types": lambda: filled('{"custom_object_types": [', "1", "]}"),
    "one long list of choices": lambda: filled(type_with('{"choices":[')[:-3], "1", "]}]}}"),
    "allowed lists of wrong choices": lambda: choices("1"),
    "allowed lists of empty choices": lambda: choices('""'),
    "allowed lists of valid choices": lambda: choices('"a"'),
    "allowed lists of surrogates": lambda: choices(r'"\ud83d"'),
    "roles": lambda: filled('{"custom_object_type": {"editable_with_roles": [', "{}", "]}}"),
    "values": lambda: keys('{"blueprint": "account", "values": {', "{}", "}}"),
    "lists of values": lambda: keys('{"blueprint": "account", "values": {', "[1,2,3]", "}}"),
    "one long value": lambda: filled('{"blueprint": "account", "values": {"x": [', "1", "]}}"),
    "100 allowed values": lambda: json.dumps(
        {"blueprint": "account", "values": {f"v{number}": [7] * 500 for number in range(100)}}
    ),
    "unknown keys": lambda: keys("{", "1", "}"),
    "unknown keys of a field": lambda: keys(type_with("{")[:-3], "1", "}]}}"),
    "an unknown list": lambda: filled('{"x": [', "{}", "]}"),
    "a list as a name": lambda: filled('{"custom_object_type": {"name": [', "[]", "]}}"),
    "a list as the body": lambda: filled("[", "{}", "]"),
    "small objects": lambda: filled('{"x": [', '{"a":1}', "]}"),
    "nested lists": lambda: "[" * MAX_BODY_BYTES,
    "nested objects": lambda: ('{"a":' * MAX_BODY_BYTES)[:MAX_BODY_BYTES],
    "digits": lambda: '{"tenant": ' + "9" * (MAX_BODY_BYTES - 20) + "}",
    "the same key": lambda: filled("{", '"a":1', "}"),
    "no JSON": lambda: "x" * MAX_BODY_BYTES,
    "one long string": lambda: '{"tenant": "' + "x" * (MAX_BODY_BYTES - 20) + '"}',
    "one long key": lambda: '{"' + "/" * (MAX_BODY_BYTES - 20) + '": 1}',
    "as many valid fields as there may be": lambda: json.dumps(
        {
            "custom_object_types": [
                {**SPEC, "name": f"Type {number}", "fields": [{"name": x, "type": "text"} for x in numbered(200)]}
                for number in range(25)
            ]
        }
    ),
    "many valid choices": lambda: json.dumps(
        {
            "custom_object_type": {
                **SPEC,
                "fields": [{**FIELD, "name": x, "choices": numbered(500)} for x in numbered(40)],
            }
        }
    ),
    "surrogates": lambda: filled('{"tenant": "', r"\ud83d", '"}', ""),
}


@pytest.fixture(scope="module", autouse=True)
def _models_are_built() -> Iterator[None]:
    """The first request of a process builds the validators, which does not count for the body.

    Objects that live by then are never collected: otherwise each collection walks everything that other tests left.
    """
    parse_request(type_with('{"name": "Stage", "type": "choices", "choices": ["a"]}' + ',{"name":"N","type":"text"}'))
    for name in ("empty fields of every type", "100 allowed values"):
        with pytest.raises(Rejected):
            parse_request(BODIES[name]())
    gc.freeze()
    yield
    gc.unfreeze()


def parse(body: str) -> Rejected | ProvisioningRequest:
    try:
        return parse_request(body, fallback_id="message-1")
    except Rejected as rejection:
        return rejection


@pytest.mark.parametrize("name", BODIES)
def test_hole_7_no_body_takes_much_time_or_memory(name: str) -> None:
    body = BODIES[name]()
    assert len(body.encode()) <= MAX_BODY_BYTES
    before = time.thread_time()
    answer = parse(body)
    seconds = time.thread_time() - before
    gc.collect()
    tracemalloc.start()
    try:
        parse(body)
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert memory < MAX_MEMORY, f"{memory:,} bytes"
    assert seconds < MAX_CPU_SECONDS, f"{seconds * 1000:.0f} ms"
    if isinstance(answer, Rejected):
        assert 0 < len(answer.problem.errors) <= MAX_ERRORS or answer.problem.status == 413


@pytest.mark.parametrize("name", BODIES)
def test_hole_7_a_rejection_keeps_no_errors_but_its_own(name: str) -> None:
    answer = parse(BODIES[name]())

    if isinstance(answer, Rejected):
        assert (answer.__context__, answer.__cause__) == (None, None)
        assert len(json.dumps(answer.problem.model_dump(mode="json"))) < 30_000


def faults(document: dict[str, Any]) -> dict[str, str]:
    answer = parse(json.dumps(document))
    assert isinstance(answer, Rejected)
    return {each.pointer: each.detail for each in answer.problem.errors}


@pytest.mark.parametrize(
    ("pointer", "most", "document"),
    [
        ("/custom_object_types", 25, lambda n: {"custom_object_types": [{**SPEC, "name": x} for x in numbered(n)]}),
        (
            "/custom_object_type/fields",
            200,
            lambda n: {"custom_object_type": {**SPEC, "fields": [{"name": x, "type": "text"} for x in numbered(n)]}},
        ),
        (
            "/custom_object_type/fields/0/choices",
            500,
            lambda n: {"custom_object_type": {**SPEC, "fields": [{**FIELD, "choices": numbered(n)}]}},
        ),
        (
            "/custom_object_type/editable_with_roles",
            100,
            lambda n: {"custom_object_type": {**SPEC, "editable_with_roles": numbered(n)}},
        ),
        (
            "/custom_object_type/fields/0/editable_with_roles",
            100,
            lambda n: {"custom_object_type": {**SPEC, "fields": [{**FIELD, "editable_with_roles": numbered(n)}]}},
        ),
        ("/values", 100, lambda n: {"blueprint": "account", "values": dict.fromkeys(numbered(n), "x")}),
        ("/values/name", 500, lambda n: {"blueprint": "account", "values": {"name": numbered(n)}}),
    ],
)
def test_the_bounds_are_those_of_the_models(pointer: str, most: int, document: Callable[[int], dict[str, Any]]) -> None:
    """A list that is one item too long has the same fault with and without the check that comes first."""
    ProvisioningRequest.model_validate_json(json.dumps({"request_id": "1", **document(most)}), strict=True)
    with pytest.raises(ValueError, match=rf"at most {most} items|{most}"):
        ProvisioningRequest.model_validate_json(json.dumps({"request_id": "1", **document(most + 1)}), strict=True)

    assert faults(document(most + 1)) == {pointer: f"must have at most {most} items"}


def test_faults_of_a_large_body_have_the_pointers_of_a_small_one() -> None:
    fields: list[Any] = [{"name": f"Field {index}", "type": "text"} for index in range(200)]
    fields[150] = {"name": 7, "type": "text", "nope": 1}
    fields[199] = "text"
    types = [{**SPEC, "name": f"Type {index}", "fields": fields} for index in range(5)]

    said = faults({"custom_object_types": types})

    assert said["/custom_object_types/0/fields/150/name"] == "Input should be a valid string"
    assert said["/custom_object_types/0/fields/150/nope"] == "unknown key"
    assert "/custom_object_types/4/fields/199" in said


NESTED: Any = "x"
for _ in range(220):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("document", "pointer", "detail"),
    [
        ({"custom_object_type": {**SPEC, "description": "Launch \ud83d"}}, "/custom_object_type/description", "half"),
        ({"custom_object_type": {**SPEC, "fields": [{**FIELD, "choices": ["a", "\udfff"]}]}},
         "/custom_object_type/fields/0/choices/1", "half"),
        ({"custom_object_type": SPEC, "a\ud83d": 1}, "/a\\ud83d", "half"),
        ({"custom_object_type": {**SPEC, "description": NESTED}}, "/custom_object_type/description", "valid string"),
        ({"custom_object_type": SPEC, "nested": NESTED}, "/nested", "unknown key"),
        ({"custom_object_type": SPEC, "tenant": float("1e308") * 10}, "", "Infinity is not allowed"),
    ],
)  # fmt: skip
def test_field_12_a_fault_points_into_the_callers_own_text(document: dict[str, Any], pointer: str, detail: str) -> None:
    answer = parse(json.dumps(document, indent=2))

    assert isinstance(answer, Rejected)
    [fault] = answer.problem.errors
    assert fault.pointer == pointer
    assert detail in fault.detail
    assert "line" not in fault.detail
    assert answer.problem.model_dump_json().encode()


def test_field_21_every_optional_key_may_be_null() -> None:
    of_a_field = "shared description required accepts_multiple_values choices editable_with_roles references"
    field_keys = dict.fromkeys((*of_a_field.split(), "back_reference_is_visible"))
    type_keys = dict.fromkeys(("description", "api_create_only", "editable_with_roles", "fields"))
    optional = ("tenant", "if_exists", "wait_for_tenant", "custom_object_types", "blueprint", "values",
                "allow_partial", "plan_digest")  # fmt: skip
    with_nulls = {
        **dict.fromkeys(optional),
        "request_id": "1",
        "custom_object_type": {**SPEC, **type_keys, "fields": [{"name": "Amount", "type": "number", **field_keys}]},
    }
    without = {"request_id": "1", "custom_object_type": {**SPEC, "fields": [{"name": "Amount", "type": "number"}]}}

    parsed = parse_request(json.dumps(with_nulls))

    assert parsed.to_json() == parse_request(json.dumps(without)).to_json()
    assert parse_request(json.dumps({**without, "custom_object_type": {**SPEC, "fields": None}})).types[0].fields == ()


def test_field_21_a_null_value_of_a_blueprint_is_left_out() -> None:
    body = {
        "request_id": "1",
        "blueprint": "account",
        "values": {"product": "Prisma", "name": None},
    }

    assert parse_request(json.dumps(body)).types[0].name == "Account"


def test_field_21_an_unknown_key_is_unknown_whatever_its_value() -> None:
    assert faults({"custom_object_type": SPEC, "nope": None}) == {"/nope": "unknown key"}
