"""Text: which names are taken, which of them are the same, and that no table of the running Python decides it."""

import contextlib
import json
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.spec import CustomObjectTypeSpec
from provisioner.contract.text import MAX_MARKS, clean_description, clean_name, natural_key, spelling_key
from provisioner.contract.validation import parse_request

CONTROL = "must not contain control characters, noncharacters or lone surrogates"
INVISIBLE = "must contain a visible character"

NOTHING_SEEN = [
    "\u3164", "\u2800", "\u2800 \u2800", "\u200b", "\ufeff", "\u00ad\u2060", "\u200d", "\u200c\u200d",
    "\u180e", "\u115f", "\u1160", "\uffa0", "\u17b4", "\ufe0f", "\u034f", "\u061c", "\u202e", "\u2066\u2069",
    "\u206a", "\ufff9\ufffb",
    "\U000e0001", "\U000e0041", "\U000e0100", "\U000e0fff", "\U0001d173", "\U0001d159", "\U0001bca0",
    "\ufff0", "\u2065", "\u00a0", "\u2003\u3000",
]  # fmt: skip
FORBIDDEN = [
    "\x00", "\x07", "\x1b", "\x7f", "\x80", "\x9f", "\ud800", "\udfff", "\ufdd0", "\ufdef", "\ufffe", "\uffff",
    "\U0001fffe", "\U0010ffff", "\U000efffe",
]  # fmt: skip
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
IGNORED = "\u00ad\u034f\u061c\u115f\u1160\u17b5\u180b\u180e\u200b\u200e\u200f\u202a\u202e\u2060\u2064\u2066\u206f\u3164\ufe0e\ufe0f\ufeff\uffa0\U0001d17a\U000e0100\U000e01ef"  # noqa: E501
READABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u200c\u200d"), max_size=20)


def faults(**keys: Any) -> dict[str, str]:
    """Return the details by pointer below the type."""
    spec = {"name": "Account", "name_plural": "Accounts", **keys}
    with pytest.raises(Rejected) as caught:
        parse_request(json.dumps({"request_id": "1", "custom_object_type": spec}))
    assert caught.value.kind is ProblemType.INVALID_REQUEST
    return {each.pointer.removeprefix("/custom_object_type"): each.detail for each in caught.value.problem.errors}


def refusal(name: str) -> str:
    """Return why the name is refused, "" if it is not."""
    try:
        clean_name(name)
    except ValueError as error:
        return str(error)
    return ""


def field(**keys: Any) -> dict[str, Any]:
    return {"fields": [{"name": "Plan", "type": "text", **keys}]}


class TestWhichTextIsTaken:
    @pytest.mark.parametrize(
        "name",
        [
            "🫩 Tired", "\U0001fae9", "\u20c1", "Price in \u20c1",
            "\U0001fadf", "\ua7ce", "\U00011db0",  # of Unicode 16 and 17 too
            "\U000323b0", "\u0378", "\U0002fa20",  # a new ideograph, and characters that Unicode may still assign
            "👩\u200d🚀 Crew", "❤\ufe0f", ENGLAND, "\ue000", "\u0600",
        ],
    )  # fmt: skip
    def test_field_7_a_newly_assigned_character_is_taken(self, name: str) -> None:
        assert clean_name(name) == name
        assert natural_key(name)

    @pytest.mark.parametrize("character", FORBIDDEN)
    def test_field_7_controls_and_noncharacters_are_refused(self, character: str) -> None:
        for name in (character, f"a{character}b", f"é{character}b"):
            with pytest.raises(ValueError, match=CONTROL):
                clean_name(name + "c")

    @pytest.mark.parametrize("name", NOTHING_SEEN)
    def test_field_8_a_name_that_shows_nothing_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match=INVISIBLE):
            clean_name(name)
        assert natural_key(name) == ""

    @pytest.mark.parametrize(
        ("keys", "pointer"),
        [
            ({"name": "\u3164"}, "/name"),
            ({"name_plural": "\u2800"}, "/name_plural"),
            ({"editable_with_roles": ["admin", "\u200b"]}, "/editable_with_roles/1"),
            (field(name="\ufeff"), "/fields/0/name"),
            (field(type="choices", choices=["a", "\u2800"]), "/fields/0/choices/1"),
            (field(type="custom_object", references="\u200d"), "/fields/0/references"),
        ],
    )
    def test_field_8_every_name_of_a_request_must_show_something(self, keys: dict[str, Any], pointer: str) -> None:
        assert faults(**keys) == {pointer: INVISIBLE}

    def test_field_8_a_blueprints_value_must_show_something(self) -> None:
        body = {"request_id": "1", "blueprint": "account", "values": {"product": "\u3164"}}
        with pytest.raises(Rejected) as caught:
            parse_request(json.dumps(body))
        [error] = caught.value.problem.errors
        assert error.pointer == "/values/product"
        assert error.detail.startswith(INVISIBLE)

    @pytest.mark.parametrize("character", [each for each in FORBIDDEN if not "\ud800" <= each <= "\udfff"])
    def test_field_11_a_control_in_a_description_has_a_pointer(self, character: str) -> None:
        text = f"Launch{character} é"
        assert faults(description=text) == {"/description": CONTROL}
        assert faults(**field(description=text)) == {"/fields/0/description": CONTROL}

    @pytest.mark.parametrize("text", ["", "a\n\n\tb\n", "🫩 e\u0301\r\nb", "\u3164", "a\rb"])
    def test_field_11_a_description_may_have_lines_and_tabs(self, text: str) -> None:
        spec = CustomObjectTypeSpec(name="a", name_plural="b", description=text)
        assert spec.description == text.replace("e\u0301", "é").replace("\r\n", "\n").replace("\r", "\n")

    @pytest.mark.parametrize("value", [None, 7, ["a"], {}])
    def test_another_value_is_left_to_the_model(self, value: object) -> None:
        assert clean_name(value) == clean_description(value) == value


class TestWhichNamesAreTheSame:
    @pytest.mark.parametrize(
        "other",
        [
            "\ufeffTwin", "Twin\u200b", "Tw\u200bin", "Tw\u00adin", "\u2060Twin\u2060", "Twin\u3164", "Twin\u2800",
            "Twin\ufe0f", "\u200dTwin\u200c", "\u202aTwin\u202c", "T\u034fwin", "Twin\U000e0020", "\u200b twin \u200b",
            "Twin\u200d \u200d",
        ],
    )  # fmt: skip
    def test_field_9_invisible_characters_do_not_make_another_name(self, other: str) -> None:
        assert natural_key(other) == natural_key("Twin") == "twin"

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("❗ Lead", "❗\ufe0f Lead"),  # ahts4962/nav-link-header 19, iamcal/emoji-data 237
            ("1\u20e3 Tier", "1\ufe0f\u20e3 Tier"),  # safx/Emoji-Swift 8
            ("Alice eviL", "Alice \u202eeviL"),  # XiovV/calich 252, mastodon/mastodon 1095
            ("Ali\u180ece", "Alice"),  # noctf-project/noCTF 136
            ("Lead\u200b\u200c\u2060", "Lead"),  # Dictionarry-Hub/profilarr 286: a suffix that tells copies apart
            ("test    3", "test\u00a03"),  # tllshan/pe 9
            ("bo\u0302h", "b\u00f4h"),  # sillsdev/TheCombine 3713
        ],
    )
    def test_reported_twins_are_one_name(self, one: str, other: str) -> None:
        assert natural_key(one) == natural_key(other)
        assert spelling_key(one) == spelling_key(other)

    def test_turkish_dotted_and_dotless_i_are_different_names(self) -> None:
        """As in OHF-Voice/hassil (295): case-folding knows no locale. Two types are better than one for two names."""
        assert natural_key("I\u015f\u0131k") == natural_key("i\u015e\u0131K")
        assert natural_key("I\u015f\u0131k") != natural_key("\u0131\u015f\u0131k")

    @pytest.mark.parametrize("name", ["\ufeffTwin", "Twin\u200b", "\u2060 Twin\u200d\n", "\u3164Twin\u2800"])
    def test_field_9_invisible_characters_at_the_ends_are_not_sent(self, name: str) -> None:
        assert clean_name(name) == "Twin"

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("نامه\u200cای", "نامهای"),  # Persian: another word  # noqa: RUF001
            ("क्\u200dष", "क्ष"),  # Hindi: another shape
            ("👩\u200d🚀", "👩🚀"),  # an astronaut, and a woman and a rocket
            (ENGLAND, SCOTLAND),
            ("Twin A", "TwinA"),
            ("\u2800⠃", "⠃⠃"),
        ],
    )
    def test_field_9_characters_with_a_meaning_do(self, one: str, other: str) -> None:
        assert natural_key(one) != natural_key(other)

    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    def test_field_10_a_name_is_sent_in_its_composed_form(self, form: Any) -> None:
        typed = unicodedata.normalize(form, "Café Ünïcödé 각")
        fields: list[dict[str, Any]] = [
            {"name": typed, "type": "choices", "choices": [typed]},
            {"name": "R", "type": "custom_object", "references": typed, "description": typed},
        ]
        spec = {"name": typed, "name_plural": typed, "description": typed, "editable_with_roles": [typed]}
        body = {"request_id": "1", "custom_object_type": {**spec, "fields": fields}}
        sent = json.loads(parse_request(json.dumps(body)).to_json())
        composed = json.loads(unicodedata.normalize("NFC", json.dumps(body, ensure_ascii=False)))
        assert sent["custom_object_type"] == composed["custom_object_type"]

    def test_field_10_a_blueprints_value_is_used_in_its_composed_form(self) -> None:
        bodies = [
            {"request_id": "1", "blueprint": "account", "values": {"product": unicodedata.normalize(form, "Café")}}
            for form in ("NFC", "NFD")
        ]
        composed, decomposed = (parse_request(json.dumps(body)) for body in bodies)
        assert composed == decomposed

    def test_field_10_one_choice_in_two_normal_forms_is_given_twice(self) -> None:
        said = faults(**field(type="choices", choices=["Café", "Cafe\u0301"]))
        assert said == {"/fields/0/choices": "contains 'Café' twice"}
        assert faults(**field(type="choices", choices=["Café", "Ca\u200bfé"])) == said

    @given(READABLE)
    @example("\u0345\u0301\u03b1")
    @example("🏴\U000e0020\U000e0067\U000e007f\U000e0001")
    @example("a\u200d\u2800\u200db\u200c\u200c")
    def test_a_key_of_a_key_is_itself(self, text: str) -> None:
        assert spelling_key(spelling_key(text)) == spelling_key(text)
        assert natural_key(natural_key(text)) == natural_key(text) == natural_key(spelling_key(text))

    @given(READABLE, st.sampled_from(["NFC", "NFD"]))
    def test_a_normal_form_is_not_another_spelling(self, text: str, form: Any) -> None:
        assert spelling_key(unicodedata.normalize(form, text)) == spelling_key(text)

    @given(READABLE, st.lists(st.tuples(st.integers(0, 20), st.sampled_from(IGNORED)), max_size=5))
    def test_an_inserted_invisible_character_is_not_another_name(self, text: str, added: list[tuple[int, str]]) -> None:
        characters = list(text)
        for place, character in added:
            characters.insert(place, character)
        assert natural_key("".join(characters)) == natural_key(text)

    @given(st.text(max_size=20))
    def test_a_clean_name_stays_as_it_is(self, text: str) -> None:
        try:
            name = clean_name(text)
        except ValueError:
            return
        assert isinstance(name, str)
        assert clean_name(name) == name
        assert natural_key(name) == natural_key(text)
        assert unicodedata.is_normalized("NFC", name)

    @given(st.text(min_size=1, max_size=20))
    def test_a_name_is_refused_as_invisible_if_its_key_is_empty(self, text: str) -> None:
        reason = refusal(text)
        assert (reason == INVISIBLE) == (reason != CONTROL and not natural_key(text))


class TestHostileText:
    @pytest.mark.parametrize(
        "text",
        [
            "\u0301\u0327" * 60_000,  # sorted in a time that grows with the square of their number
            "a" + "\u200b" * 80_000 + "a",
            "a" + " " * 200_000 + "\u00e9",
            "\u200d" * 80_000 + "a",
            "🏴\U000e0067" * 30_000,
            "e\u0301" * 80_000,
            "\u00e9" * 120_000,
        ],
        ids=["marks", "invisible", "spaces", "joiners", "flags", "NFD", "long"],
    )
    def test_no_text_of_a_body_takes_long(self, text: str) -> None:
        began = time.process_time()
        spec = {"name": text, "name_plural": "a", "description": text}
        body = {"request_id": "1", "custom_object_type": {**spec, "fields": [{"name": text, "type": "text"}]}}
        with pytest.raises(Rejected):
            parse_request(json.dumps(body))
        for clean in (clean_name, clean_description):
            with contextlib.suppress(ValueError):
                clean(text)
        assert time.process_time() - began < 1

    def test_a_character_has_a_bounded_number_of_marks(self) -> None:
        assert clean_name("Z" + "\u0301" * MAX_MARKS + "a") == "\u0179" + "\u0301" * (MAX_MARKS - 1) + "a"
        for clean in (clean_name, clean_description):
            with pytest.raises(ValueError, match="must not have more than 30 combining marks on one character"):
                clean("Z" + "\u0301\u0327" * MAX_MARKS + "a")

    @pytest.mark.parametrize("text", ["é" * 201, "e\u0301" * 201, " " * 5000 + "e\u0301" * 5000])
    def test_a_long_name_is_too_long_in_any_form(self, text: str) -> None:
        assert faults(name=text) == {"/name": "String should have at most 200 characters"}

    def test_a_name_within_the_bounds_may_be_sent_decomposed(self) -> None:
        composed = "\u1f82" * 200
        body = {"name": unicodedata.normalize("NFD", composed), "name_plural": "a"}
        request = parse_request(json.dumps({"request_id": "1", "custom_object_type": body}))
        assert request.types[0].name == composed
