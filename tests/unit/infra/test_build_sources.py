"""The check of the sources: each fault is reported with its file, and stops the build."""

import json
from pathlib import Path

import pytest

from infra.build import artifact
from infra.build.sources import Unmapped, check, main
from tests.unit.ingest.test_mapping import SOURCE

EVENT = {"type": "signup", "id": "evt_1", "tenant": "acme"}
GOOD = SOURCE.replace('blueprint = "saas-subscriptions"', 'custom_object_type = { name = "A", name_plural = "As" }')
GOOD = "".join(line for line in GOOD.splitlines(keepends=True) if not line.startswith("values"))
AND_ANOTHER = GOOD + GOOD.replace("signup]", "another]").partition('"stripe"')[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one valid source."""
    (tmp_path / "fixtures" / "acme").mkdir(parents=True)
    (tmp_path / "acme.toml").write_text(GOOD)
    (tmp_path / "fixtures" / "acme" / "signup.json").write_text(json.dumps(EVENT))
    return tmp_path


def test_the_shipped_sources_are_valid(folder: Path) -> None:
    check(artifact.FUNCTIONS / "sources")
    check(folder)


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("acme.toml", GOOD.replace("when =", "whenever ="), "acme.toml: events.signup.when is missing; "),
        (
            "acme.toml",
            GOOD.replace("when =", "whenever ="),
            "events.signup.whenever is an unknown key; use one of when, tenant, ",
        ),
        (
            "acme.toml",
            GOOD.replace('"stripe"', '"strip"'),
            "acme.toml: scheme must be one of standard-webhooks, svix, ",
        ),
        (
            "acme.toml",
            GOOD.replace("== 'signup'", "== "),
            "events.signup.when is not a valid JMESPath expression (error at character",
        ),
        ("acme.toml", GOOD.replace("[events.signup]", "[events.signup"), "acme.toml: Expected ']'"),
        ("acme.toml", GOOD.replace("== 'signup'", "== 'sign-up'"), "events.signup.when is not true for its fixture"),
        ("acme.toml", GOOD.replace('name = "A"', 'title = "A"'), "events.signup.custom_object_type.name: "),
        ("acme.toml", AND_ANOTHER, "another has no fixture "),
        (
            "acme.toml",
            GOOD.replace("[events.signup]", "is_test = \"id == 'evt_1'\"\n[events.signup]"),
            "is_test is true for the fixture of signup, and takes_tests is false",
        ),
        (
            "acme.toml",
            GOOD.replace("[events.signup]", 'request_id = "event_id"\n[events.signup]'),
            "request_id is event_id, which finds nothing in the fixture of signup",
        ),
        (
            "acme.toml",
            GOOD.replace('tenant = "tenant"', 'tenant = "team"'),
            "events.signup.tenant: The event has no ",
        ),
        (
            "fixtures/acme/signup.json",
            json.dumps(EVENT | {"tenant": "a/b"}),
            "events.signup.tenant: The event has no ",
        ),
        ("fixtures/acme/signup.json", '{"type": "signup",}', "signup.json: invalid JSON (Illegal trailing comma"),
        ("fixtures/acme/signup.json", "[]", "events.signup needs a JSON object as its fixture"),
        ("fixtures/acme/other.json", "{}", "acme.toml has no events.other"),
        ("fixtures/acme/a.b.json", "{}", 'acme.toml has no events."a.b"'),
        ("fixtures/unknown", "", "fixtures/unknown: no source has this name"),
        ("Acme.toml", GOOD, "Acme.toml: the name of a source must be lower case"),
    ],
)
def test_a_fault_is_one_line_with_its_file_and_key(
    folder: Path, capsys: pytest.CaptureFixture[str], path: str, text: str, fault: str
) -> None:
    (folder / path).write_text(text)
    with pytest.raises(Unmapped) as caught:
        check(folder)
    assert fault in str(caught.value)
    [line] = str(caught.value).splitlines()
    assert "validation error" not in line
    assert "http" not in line
    assert main(folder) == 1
    assert capsys.readouterr().err.split("\n") == ["", line, ""]


def test_two_events_that_match_one_fixture_are_a_fault(folder: Path) -> None:
    (folder / "acme.toml").write_text(AND_ANOTHER)
    (folder / "fixtures" / "acme" / "another.json").write_text(json.dumps(EVENT))
    with pytest.raises(Unmapped, match=r"events.signup.when is also true for the fixture of another, and comes before"):
        check(folder)


def test_the_request_of_every_fixture_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(folder) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["source", "event", "tenant", "may", "name", "request", "id", "provisions"],
        ["acme", "signup", "acme", "any", "evt_1", "A"],
    ]


def test_hole_8_the_tenants_that_a_source_may_name_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "acme.toml").write_text(f'tenants = "acme|globex"\n{GOOD}')
    assert main(folder) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["acme", "signup", "acme", "acme|globex", "evt_1", "A"]


THIN = '[rejected.thin]\nwhen = "type == \'thin\'"\nreason = "Choose Snapshot."\n'


def test_a_rejected_shape_is_shown_with_its_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "acme.toml").write_text(GOOD + THIN)
    (folder / "fixtures" / "acme" / "rejected").mkdir()
    (folder / "fixtures" / "acme" / "rejected" / "thin.json").write_text('{"type": "thin"}')
    assert main(folder) == 0
    assert capsys.readouterr().out.splitlines()[2].endswith("rejected: Choose Snapshot.")


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("rejected/thin.json", json.dumps(EVENT), "rejected.thin does not reject its fixture"),
        ("rejected/other.json", "{}", "has no rejected.other"),
        ("ignored/test.json", json.dumps(EVENT), "an ignored fixture is mapped to a request of tenant acme"),
        ("ignored/test.json", '{"type": "thin"}', "an ignored fixture is rejected: 'thin' cannot be mapped"),
        ("signup/other.json", '{"type": "other"}', "events.signup.when is not true for its fixture"),
    ],
)
def test_a_fixture_in_a_folder_must_do_as_its_folder_says(folder: Path, path: str, text: str, fault: str) -> None:
    (folder / "acme.toml").write_text(GOOD + THIN)
    for name in ("rejected", "ignored", "signup"):
        (folder / "fixtures" / "acme" / name).mkdir()
    (folder / "fixtures" / "acme" / "rejected" / "thin.json").write_text('{"type": "thin"}')
    (folder / "fixtures" / "acme" / path).write_text(text)
    with pytest.raises(Unmapped, match=fault):
        check(folder)


def test_a_rejected_shape_needs_a_fixture(folder: Path) -> None:
    (folder / "acme.toml").write_text(GOOD + THIN)
    with pytest.raises(Unmapped, match=r"rejected\.thin has no fixture"):
        check(folder)


def test_a_fault_stops_the_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sources" / "fixtures").mkdir(parents=True)
    (tmp_path / "sources" / "acme.toml").write_text(GOOD)
    monkeypatch.setattr(artifact, "FUNCTIONS", tmp_path)
    assert artifact.main(["x86_64", str(tmp_path / "built")]) == 1
    assert "events.signup has no fixture " in capsys.readouterr().err
    assert not (tmp_path / "built").exists()
