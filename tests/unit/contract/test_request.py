"""The words: what makes names equal, what a request may hold, and the ids that everybody can compute."""

import json
import subprocess
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from provisioner.close.models import MAX_SHOWN_BYTES, Credential, CustomObjectType
from provisioner.contract.errors import Problem
from provisioner.contract.outcome import (
    Blocked,
    Difference,
    FieldOutcome,
    Outcome,
    Result,
    TypeOutcome,
    message_key,
    type_key,
)
from provisioner.contract.request import ProvisioningRequest, request_key, valid_identifier_or
from provisioner.contract.spec import CustomObjectTypeSpec
from provisioner.contract.text import natural_key
from tests.fakes import a_request

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    "spelling",
    [
        "straße", "STRASSE", "Strasse", " Straße ", "\tSTRAẞE\n", "ﬆrasse",
    ],
)  # fmt: skip
def test_spellings_of_one_name_have_one_key(spelling: str) -> None:
    assert natural_key(spelling) == "strasse"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Caf\u00e9", "Cafe\u0301"),  # composed and decomposed
        ("İstanbul", "i\u0307stanbul"),  # a capital that folds to two characters
        ("\u1e69", "s\u0307\u0323"),  # marks in another order
        ("Sales  Order", "sales order"),
        ("Sales\u00a0Order", "sales\u2003order"),  # any space
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),  # both small sigmas
        ("\u212bngström", "ångström"),  # the Angstrom sign and the character
    ],
)
def test_equal_names_have_one_key(one: str, other: str) -> None:
    assert natural_key(one) == natural_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Account", "Accounts"), ("Sales Order", "SalesOrder"), ("Cafe", "Café"), ("I", "\u0131"), ("A-B", "A\u2010B")],
)
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert natural_key(one) != natural_key(other)


@given(TEXTS)
@example("\u0345\u0301\u03b1")  # a combining mark that folds to an iota
@example("İ \u1e9e \u01c5")
def test_the_natural_key_of_a_natural_key_is_itself(name: str) -> None:
    assert natural_key(natural_key(name)) == natural_key(name)


@given(TEXTS, st.sampled_from(["NFC", "NFD"]))
def test_no_spelling_in_another_normal_form_is_another_name(name: str, form: Any) -> None:
    assert natural_key(unicodedata.normalize(form, name)) == natural_key(name)


@given(TEXTS)
def test_case_and_outer_spaces_do_not_matter(name: str) -> None:
    assert natural_key(f" {name.casefold()}\n") == natural_key(name)


def test_the_id_can_be_computed_in_a_shell() -> None:
    command = "printf acme/signup-8841 | sha256sum | cut -c1-32"
    said = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603

    assert a_request("signup-8841").id == said
    assert request_key("acme", "signup-8841") == said


def test_ids_of_requests_types_and_messages_differ() -> None:
    assert len({request_key("a", "b"), request_key("a/b", ""), type_key("a", "b", "c", "d"), message_key("b")}) == 4
    assert type_key("a", "1", "b", "c") != type_key("a", "2", "b", "c")
    assert request_key("ab", "c") != request_key("a", "bc")


@pytest.mark.parametrize("identifier", ["a", "signup-8841", "A.b_c:d-9", "x" * 128])
def test_an_identifier_is_accepted(identifier: str) -> None:
    assert a_request(identifier, tenant=identifier).id == request_key(identifier, identifier)
    assert valid_identifier_or(identifier, "other") == identifier


@pytest.mark.parametrize("text", ["", "x" * 129, "a/b", "a b", "ä", "a\n", "a#b", "a*", "../a"])
def test_an_invalid_identifier_is_rejected(text: str) -> None:
    with pytest.raises(ValidationError):
        a_request(text)
    with pytest.raises(ValidationError):
        a_request(tenant=text)
    assert valid_identifier_or(text, "other") == "other"


@pytest.mark.parametrize("value", [None, 7, ["a"], {}])
def test_an_identifier_must_be_a_string(value: object) -> None:
    assert valid_identifier_or(value, "other") == "other"


def test_optional_keys_have_defaults() -> None:
    request = ProvisioningRequest.model_validate(
        {"request_id": "1", "custom_object_type": {"name": "Account", "name_plural": "Accounts"}}
    )

    assert (request.tenant, request.if_exists) == ("default", "adopt")
    assert request.types[0].api_create_only is False


def test_omitted_keys_are_not_sent_to_close() -> None:
    assert a_request().types[0].desired() == {"name": "Account", "name_plural": "Accounts"}
    given_all = {"description": "", "api_create_only": False, "editable_with_roles": []}
    assert a_request(spec=given_all).types[0].desired() == {
        "name": "Account", "name_plural": "Accounts", **given_all
    }  # fmt: skip
    assert "description" not in a_request(spec={"description": None}).types[0].desired()


@pytest.mark.parametrize(
    "spelled_out",
    [
        {"if_exists": "adopt"},
        {"allow_partial": False},
        {"wait_for_tenant": False},
        {"plan_digest": None},
        {"spec": {"fields": []}},
        {"spec": {"description": None, "editable_with_roles": None}},
        {"name": "  Account "},
    ],
)
def test_the_fingerprint_does_not_depend_on_spelling(spelled_out: dict[str, Any]) -> None:
    other = a_request("other", **{"spec": {"name_plural": "Accounts"}} | spelled_out)

    assert other.fingerprint == a_request().fingerprint
    assert other.desired_fingerprint == a_request().desired_fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Account 2"},
        {"if_exists": "fail"},
        {"tenant": "globex"},
        {"spec": {"description": ""}},
        {"spec": {"api_create_only": True}},
        {"spec": {"api_create_only": False}},  # sent to Close, and compared with the type there
        {"spec": {"editable_with_roles": ["admin"]}},
        {"spec": {"editable_with_roles": []}},
        {"spec": {"name_plural": "Konten"}},
    ],
)
def test_other_content_has_another_fingerprint(other: dict[str, Any]) -> None:
    assert a_request(**other).fingerprint != a_request().fingerprint
    assert a_request(**other).desired_fingerprint != a_request().desired_fingerprint


@pytest.mark.parametrize("key", ["required", "accepts_multiple_values"])
def test_a_default_of_a_field_that_the_caller_gives_is_content(key: str) -> None:
    field = {"name": "Seats", "type": "choices", "choices": ["1"]}
    without, given_default = (a_request(spec={"fields": [each]}) for each in (field, {**field, key: False}))

    assert without.fingerprint != given_default.fingerprint
    again = ProvisioningRequest.model_validate_json(given_default.to_json())
    assert again.fingerprint == given_default.fingerprint
    not_shared = a_request(spec={"fields": [{**field, "shared": False}]})
    assert not_shared.fingerprint == without.fingerprint
    assert not_shared.desired_fingerprint == without.desired_fingerprint


def test_a_type_alone_is_desired_like_a_list_of_it() -> None:
    alone = a_request()
    listed = a_request(custom_object_type=None, custom_object_types=[{"name": "Account", "name_plural": "Accounts"}])

    assert alone.desired_fingerprint == listed.desired_fingerprint


def test_the_fingerprint_of_a_request_without_given_defaults_is_the_one_of_version_0_2() -> None:
    """The ledger holds it for 90 days."""
    assert a_request().fingerprint == "983a970b4e21fda4589974eb6c4ea568c65d85a2d2ffdf2f1d54cea5e1aaddf3"


def test_a_request_survives_its_own_json() -> None:
    request = a_request(spec={"description": None, "editable_with_roles": ["admin", "role_1"]}, if_exists="fail")

    again = ProvisioningRequest.model_validate_json(request.to_json())

    assert again == request
    assert again.types[0].desired() == request.types[0].desired()
    assert "api_create_only" not in request.to_json()


@pytest.mark.parametrize(
    "name",
    ["", "   ", "x" * 201, "a\x00b", "a\nb", "a\x7fb", "\u200b", "\u00ad\u2060", "\ud800"],
)
def test_an_unreadable_name_is_rejected(name: str) -> None:
    with pytest.raises(ValidationError):
        CustomObjectTypeSpec(name=name, name_plural="Accounts")
    with pytest.raises(ValidationError):
        CustomObjectTypeSpec(name="Account", name_plural=name)


@pytest.mark.parametrize("name", ["x" * 200, "Ünïcödé", "顧客", "👩\u200d🚀 Crew", "O'Neill & Söhne / <b>"])
def test_a_readable_name_is_kept(name: str) -> None:
    assert CustomObjectTypeSpec(name=f" {name} ", name_plural="x").name == name


@pytest.mark.parametrize(
    "spec",
    [
        {"description": "x" * 2001},
        {"editable_with_roles": [""]},
        {"editable_with_roles": ["x" * 201]},
        {"editable_with_roles": ["x"] * 101},
        {"Name": "x"},
    ],
)
def test_a_request_has_bounds_and_known_keys(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_request(spec=spec)


def test_requests_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(a_request(), "tenant", "globex")  # noqa: B010 - the type checker refuses it, too


def test_responses_of_close_may_hold_unknown_keys() -> None:
    document = {"id": "cotype_1", "name": "Account", "fields": [], "whatever": {"a": 1}}

    returned = CustomObjectType.model_validate(document)

    assert returned.model_dump(mode="json", exclude_unset=True) == document
    assert returned.natural_key == "account"


@pytest.mark.parametrize("document", [{"name": "Account"}, {"id": "", "name": "Account"}, {"id": None, "name": "A"}])
def test_a_type_without_an_id_is_invalid(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CustomObjectType.model_validate(document)


PROBLEM = Problem(type="urn:x", title="T", status=422, detail="d")
DIFFERENCE = Difference(field="description", desired="Who pays us", observed=None)
SOMETHING = TypeOutcome(
    name="Account",
    result=Result.ADOPTED,
    fields=(FieldOutcome(name="Seats", result="missing"), FieldOutcome(name="Plan", id="cf_1", result=Result.CREATED)),
    differences=(DIFFERENCE,),
    blocked=(Blocked(field="fields/Seats/type", desired="number", observed="text", reason="a field keeps its type"),),
    other_matches=("cotype_2",),
    omitted=("description",),
)


@pytest.mark.parametrize(
    "further",
    [
        {},
        {"problem": PROBLEM},
        {"problem": PROBLEM.model_copy(update={"close_status": 400})},
        {"types": (SOMETHING,)},
        {"types": (SOMETHING.model_copy(update={"custom_object_type": {"id": "cotype_1", "description": None}}),)},
        {"attempts": 3, "note": "Too large for here.", "plan": {"digest": "d", "types": [{"id": None}]}},
    ],
)
def test_an_outcome_survives_its_own_json(further: dict[str, Any]) -> None:
    settled_at = "2027-01-15T08:00:00+00:00"
    outcome = Outcome(tenant="acme", request_id="1", result=Result.ADOPTED, settled_at=settled_at, **further)

    assert Outcome.from_json(outcome.to_json()) == outcome
    assert "close_status" not in outcome.to_json() or "400" in outcome.to_json()


def test_a_type_too_large_for_an_event_is_shown_without_its_largest_keys() -> None:
    back = [{"id": f"cf_{number}", "description": "x" * 280} for number in range(1000)]
    document = {"id": "cotype_1", "name": "Account", "description": "d", "fields": [], "back_reference_fields": back}

    shown, omitted = CustomObjectType.model_validate(document).shown()

    assert omitted == ("back_reference_fields",)
    assert (shown["id"], shown["name"], shown["description"]) == ("cotype_1", "Account", "d")
    assert not {"fields", "back_reference_fields"} & shown.keys()
    assert len(json.dumps(shown)) < MAX_SHOWN_BYTES


@pytest.mark.parametrize("result", Result)
def test_each_result_is_a_success_or_not(result: Result) -> None:
    outcome = Outcome(tenant="acme", request_id="1", result=result, settled_at="2027-01-15T08:00:00+00:00")

    assert outcome.succeeded is (result not in {"failed", "unresolved"})


def test_silent_a_credential_shows_nothing() -> None:
    credential = Credential("Basic c2VjcmV0", "secret", "orga_1")

    assert {repr(credential), str(credential), f"{[credential]}"} == {"Credential(…)", "[Credential(…)]"}
