"""Blueprints: those that are shipped are sound, and values fill them or are refused."""

import json
import re
from typing import Any

import pytest

from provisioner.contract import blueprints
from provisioner.contract.blueprints import FOLDER, PLACEHOLDER, Blueprint, expand, fill, load, names
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.request import BLUEPRINT_PATTERN, ProvisioningRequest
from provisioner.contract.validation import parse_request, request_of

VALUES: dict[str, dict[str, Any]] = {
    "account": {"product": "Rocket"},
    "saas-subscriptions": {"product": "Rocket", "plans": ["Free", "Paid"], "currency": "EUR"},
}


def a_blueprint(*types: dict[str, Any], **values: Any) -> Blueprint:
    """``values``: their defaults; None for none."""
    declared = {name: {"description": f"the {name}", "default": default} for name, default in values.items()}
    return Blueprint.model_validate(
        {"description": "An example", "values": declared, "custom_object_types": list(types)}
    )


ACCOUNT: dict[str, Any] = {
    "name": "${name}",
    "name_plural": "All ${name}s",
    "description": "${name} of ${product}",
    "fields": [{"name": "Plan", "type": "choices", "choices": ["${plans}", "Other", "${name}"]}],
}
EXAMPLE = a_blueprint(ACCOUNT, name="Account", product=None, plans=["Free", "Paid"])


def rejection(of: Blueprint, **values: Any) -> tuple[str, str]:
    """Pointer and detail."""
    with pytest.raises(Rejected) as caught:
        fill(of, values)
    assert caught.value.kind is ProblemType.INVALID_REQUEST
    [fault] = caught.value.problem.errors
    return fault.pointer, fault.detail


class TestShippedBlueprints:
    def test_two_blueprints_are_shipped(self) -> None:
        assert names() == ["account", "saas-subscriptions"]
        assert VALUES.keys() == set(names())

    def test_their_folder_holds_no_other_file(self) -> None:
        assert {path.suffix for path in FOLDER.iterdir()} == {".toml"}

    @pytest.mark.parametrize("name", VALUES)
    def test_each_blueprint_can_be_requested(self, name: str) -> None:
        request = parse_request(json.dumps({"request_id": "1", "blueprint": name, "values": VALUES[name]}))

        assert request.types
        assert "${" not in request.to_json()

    @pytest.mark.parametrize("name", VALUES)
    def test_placeholders_and_declared_values_are_the_same(self, name: str) -> None:
        blueprint = load(name)

        assert blueprint.placeholders == set(blueprint.values)
        assert blueprint.description
        assert all(declared.description for declared in blueprint.values.values())

    @pytest.mark.parametrize("name", VALUES)
    def test_placeholders_stand_in_names_descriptions_and_choices_only(self, name: str) -> None:
        def check(node: Any, key: str = "") -> None:
            if isinstance(node, dict):
                for inner, value in node.items():
                    assert not PLACEHOLDER.search(inner)
                    check(value, inner)
            elif isinstance(node, list):
                for value in node:
                    check(value, key)
            elif isinstance(node, str) and PLACEHOLDER.search(node):
                assert key in {"name", "name_plural", "description", "choices", "references"}

        check(load(name).custom_object_types)

    @pytest.mark.parametrize("name", VALUES)
    def test_no_dollar_is_left_over(self, name: str) -> None:
        """As it would be of a placeholder that is spelled wrongly."""
        text = json.dumps(load(name).custom_object_types)

        assert "$" not in PLACEHOLDER.sub("", text)

    def test_names_are_valid_in_requests(self) -> None:
        assert all(re.fullmatch(BLUEPRINT_PATTERN, name) for name in names())

    def test_the_types_of_subscriptions_refer_to_each_other(self) -> None:
        types = {each.name: each for each in fill(load("saas-subscriptions"), VALUES["saas-subscriptions"])}

        assert list(types) == ["Subscription", "Invoice", "Product Usage"]
        [reference] = [each for each in types["Invoice"].fields if each.references]
        assert reference.references == "Subscription"
        choices = {each.name: each.choices for each in types["Subscription"].fields if each.choices}
        assert choices["Plan"] == ("Free", "Paid")
        assert "Monthly Amount (EUR)" in [each.name for each in types["Subscription"].fields]

    def test_every_default_is_valid(self) -> None:
        [account] = fill(load("account"), {"product": "Rocket"})

        assert (account.name, account.name_plural, account.description) == (
            "Account", "Accounts", "An account in Rocket."
        )  # fmt: skip


class TestExpansion:
    def test_values_replace_defaults(self) -> None:
        [filled] = fill(EXAMPLE, {"product": "Rocket"})

        assert filled.desired() == {
            "name": "Account", "name_plural": "All Accounts", "description": "Account of Rocket"
        }  # fmt: skip
        assert filled.fields[0].choices == ("Free", "Paid", "Other", "Account")

    def test_a_list_becomes_as_many_choices(self) -> None:
        [filled] = fill(EXAMPLE, {"product": "R", "name": "A", "plans": ["One", "Two", "Three"]})

        assert filled.fields[0].choices == ("One", "Two", "Three", "Other", "A")

    def test_one_string_becomes_one_choice(self) -> None:
        [filled] = fill(EXAMPLE, {"product": "R", "plans": "Only"})

        assert filled.fields[0].choices == ("Only", "Other", "Account")

    def test_placeholders_in_a_value_are_not_expanded(self) -> None:
        [filled] = fill(EXAMPLE, {"product": "${name}", "name": '"}'})

        assert filled.description == '"} of ${name}'

    def test_expansion_leaves_the_blueprint_unchanged(self) -> None:
        before = EXAMPLE.model_dump_json()
        fill(EXAMPLE, {"product": "R"})

        assert EXAMPLE.model_dump_json() == before

    def test_an_undeclared_value_is_rejected(self) -> None:
        assert rejection(EXAMPLE, product="R", color="blue") == (
            "/values/color",
            "unknown value; the blueprint has: name, plans, product",
        )

    def test_the_name_of_an_undeclared_value_is_escaped_in_its_pointer(self) -> None:
        pointer, _ = rejection(EXAMPLE, **{"product": "R", "a/b~c": "blue"})
        assert pointer == "/values/a~1b~0c"

    def test_the_rejection_of_an_undeclared_value_is_bounded(self) -> None:
        with pytest.raises(Rejected) as caught:
            fill(load("account"), {"k" * 200_000: "x", "product": "R"})
        assert len(str(caught.value)) < 500
        assert len(caught.value.problem.errors[0].pointer) <= 300

    def test_a_missing_value_is_rejected(self) -> None:
        assert rejection(EXAMPLE) == ("/values/product", "is required: the product")

    def test_a_list_is_rejected_where_a_string_is_needed(self) -> None:
        pointer, detail = rejection(EXAMPLE, product=["R", "S"])

        assert (pointer, detail) == ("/values/product", "must be a string here; a list is allowed only for choices")

    def test_values_that_make_an_invalid_type_are_rejected(self) -> None:
        pointer, detail = rejection(EXAMPLE, product="R", plans=["A", "A"])

        assert pointer == "/values"
        assert detail.startswith("do not give valid types: ")
        assert "contains 'A' twice" in detail

    def test_a_string_that_becomes_too_long_is_rejected(self) -> None:
        assert rejection(EXAMPLE, product="R", name="x" * 200)[0] == "/values"

    def test_two_types_of_one_expanded_name_are_rejected(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each is sound, but they do not go together."""
        two = a_blueprint(ACCOUNT, {**ACCOUNT, "name": "Deal"}, name="Account", product="R", plans=["Free"])
        request = {"request_id": "1", "blueprint": "account", "values": {"name": "deal"}}

        monkeypatch.setattr(blueprints, "load", lambda _: two)
        with pytest.raises(Rejected) as caught:
            parse_request(json.dumps(request))
        assert caught.value.kind is ProblemType.INVALID_REQUEST


def faults(**body: Any) -> dict[str, str]:
    with pytest.raises(Rejected) as caught:
        parse_request(json.dumps({"request_id": "1", **body}))
    assert caught.value.kind is ProblemType.INVALID_REQUEST
    return {each.pointer: each.detail for each in caught.value.problem.errors}


class TestBlueprintRequests:
    def test_an_unknown_blueprint_is_rejected(self) -> None:
        assert faults(blueprint="missing") == {
            "/blueprint": "unknown blueprint; available: account, saas-subscriptions"
        }

    @pytest.mark.parametrize(
        ("values", "pointers"),
        [
            (None, {"/values/product"}),
            ({}, {"/values/product"}),
            ({"product": "R", "color": "blue"}, {"/values/color"}),
            ({"product": ["R", "S"]}, {"/values/product"}),
            ({"product": "R", "name": "x" * 200, "name_plural": "y" * 200}, set()),
        ],
    )
    def test_a_request_needs_every_value_without_a_default(self, values: Any, pointers: set[str]) -> None:
        body = {"blueprint": "account", "values": values}
        if pointers:
            assert faults(**body).keys() == pointers
        else:
            assert parse_request(json.dumps({"request_id": "1", **body}))

    @pytest.mark.parametrize("value", [7, True, None, {}, [], [7], [""], "", "x" * 201])
    def test_an_invalid_value_is_rejected(self, value: Any) -> None:
        said = faults(blueprint="account", values={"product": value})

        assert said
        assert all(pointer.startswith("/values/product") for pointer in said)

    def test_a_parsed_request_is_expanded_once(self) -> None:
        request = parse_request(json.dumps({"request_id": "1", "blueprint": "account", "values": {"product": "R"}}))

        assert expand(request) is request
        assert request.blueprint == "account"

    def test_a_request_on_the_queue_stays_expanded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The blueprint may be another by the time its message is received, or be gone."""
        request = parse_request(json.dumps({"request_id": "1", "blueprint": "account", "values": {"product": "R"}}))
        monkeypatch.setattr(blueprints, "names", list)

        again = request_of(json.loads(request.to_json()), allow_expanded_blueprint=True)

        assert again == request
        assert again.fingerprint == request.fingerprint

    def test_the_stored_form_of_a_request_can_be_sent_again(self) -> None:
        request = parse_request(json.dumps({"request_id": "1", "blueprint": "account", "values": {"product": "R"}}))

        again = parse_request(request.to_json())

        assert again == request
        assert again.fingerprint == request.fingerprint

    def test_a_caller_cannot_send_other_types_under_a_blueprint(self) -> None:
        """Otherwise the same request id could be sent again with other types, and no check would notice."""
        request = parse_request(json.dumps({"request_id": "1", "blueprint": "account", "values": {"product": "R"}}))
        stored = json.loads(request.to_json())
        first = stored["custom_object_types"][0]
        fields = [*first["fields"][:-1], {**first["fields"][-1], "required": False}]
        others = [[{**first, "name": "Other"}], [{**first, "fields": fields}]]

        for body in (
            *({**stored, "custom_object_types": each} for each in others),
            {**stored, "values": {"product": "S"}},
        ):
            with pytest.raises(Rejected) as caught:
                parse_request(json.dumps(body))
            assert [each.pointer for each in caught.value.problem.errors] == ["/custom_object_types"]

    def test_the_fingerprint_depends_on_name_and_values(self) -> None:
        def fingerprint(**body: Any) -> str:
            return parse_request(json.dumps({"request_id": "1", "blueprint": "account", **body})).fingerprint

        one = fingerprint(values={"product": "R"})

        assert one == fingerprint(values={"product": "R"})
        assert one != fingerprint(values={"product": "S"})
        assert one != fingerprint(values={"product": "R"}, if_exists="update")

    def test_the_first_answer_and_a_repeated_request_are_the_same(self) -> None:
        """A repeated request is compared as its caller sends it, before and after its blueprint was filled in."""
        request = ProvisioningRequest.model_validate(
            {"request_id": "1", "blueprint": "account", "values": {"product": "R"}}
        )

        assert expand(request).fingerprint == request.fingerprint
