"""The text of this repository keeps to the house rules of CONTRIBUTING.md."""

import pytest

from tests.architecture import prose


@pytest.mark.parametrize("area", prose.AREAS)
def test_an_area_holds_no_banned_phrase(area: str) -> None:
    paths = [path for path in prose.files() if prose.area_of(path) == area]
    found = [each for path in paths for each in prose.findings(path)]
    assert paths
    assert found == [], "\n".join(str(each) for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "What the caller sent is stored.",
        "It is stored. Whoever asks\ngets it.",
        "There is no tenant here: somebody removed it.",
        "It is no\nnumber.",
        "the afternoon handler",
        "a create whose answer got lost",
        "This thing shall be mended.",
        "left as it is",
        "the HTTP door",
    ],
)
def test_a_banned_phrase_is_found(text: str) -> None:
    assert any(rule.pattern.search(text) for rule in prose.RULES)


@pytest.mark.parametrize(
    "text",
    [
        "What happened to this request?",
        "It is no longer there, and amended as it is written.",
        "The write is in doubt.",
        "a dead-letter message, indoors",
        "SHALL as in RFC 2119",
    ],
)
def test_plain_english_is_not_found(text: str) -> None:
    assert [rule.pattern.pattern for rule in prose.RULES if rule.pattern.search(text)] == []


def test_names_are_read_word_by_word() -> None:
    source = "in_doubt = DeadLetter(doorstep, HttpDoor, all_things, UnitKind, time_unit)"
    assert [name for _, name in prose.banned_names(source)] == ["HttpDoor", "all_things", "UnitKind"]


def test_strings_and_comments_are_read_and_code_is_not() -> None:
    source = 'door = f"a {door} b"  # first\n# second\n\ndef f():\n    """Doc."""\n'
    assert sorted(prose.python_blocks(source)) == [(1, " b"), (1, "a "), (1, "first\nsecond"), (5, "Doc.")]
