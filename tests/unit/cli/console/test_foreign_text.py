"""Text of others cannot turn a line around, hide itself or become HTML."""

import json

from hypothesis import given
from hypothesis import strategies as st

from close_provisioner.console.foreign_text import foreign
from close_provisioner.visible import visible, visible_json


def test_direction_marks_and_control_characters_are_shown() -> None:
    assert visible("a\u202egnp.exe\x00\u200b") == "a⟨U+202E⟩gnp.exe⟨U+0000⟩⟨U+200B⟩"


def test_words_and_emoji_are_left_alone() -> None:
    assert visible("Größe 名前 👩‍🚀 שלום") == "Größe 名前 👩‍🚀 שלום"


def test_html_is_text() -> None:
    assert foreign("<script>alert(1)</script>") == "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>"


@given(st.text())
def test_visible_text_has_no_invisible_character_but_the_joiner_of_emoji(text: str) -> None:
    assert visible(text).replace("\u200d", "").isprintable()


@given(st.dictionaries(st.text(), st.text()))
def test_json_to_edit_is_the_same_document(document: dict[str, str]) -> None:
    edited = visible_json(document, indent=2)
    assert json.loads(edited) == document
    assert all(line.replace("\u200d", "").isprintable() for line in edited.split("\n"))
