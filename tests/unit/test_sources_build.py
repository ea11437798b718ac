"""The build's look at the sources: each fault is told with its file, and stops the build."""

import json
from pathlib import Path

import pytest

from infra.build import artifact
from infra.build.sources import Unmapped, check
from tests.unit.test_mapping import SOURCE

EVENT = {"type": "signup", "id": "evt_1", "tenant": "acme"}
GOOD = SOURCE.replace('blueprint = "saas-subscriptions"', 'custom_object_type = { name = "A", name_plural = "As" }')
GOOD = "\n".join(line for line in GOOD.splitlines() if not line.startswith("values"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One good source."""
    (tmp_path / "fixtures" / "acme").mkdir(parents=True)
    (tmp_path / "acme.toml").write_text(GOOD)
    (tmp_path / "fixtures" / "acme" / "signup.json").write_text(json.dumps(EVENT))
    return tmp_path


def test_what_is_shipped_is_good(folder: Path) -> None:
    check(artifact.FUNCTIONS / "sources")
    check(folder)


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("acme.toml", GOOD.replace("when", "whenever"), "acme.toml: "),
        ("acme.toml", GOOD.replace("== 'signup'", "== 'sign-up'"), "signup.json: it is mapped by no event"),
        ("acme.toml", GOOD.replace('name = "A"', 'title = "A"'), "/custom_object_type/name"),
        ("acme.toml", GOOD.replace("[events.signup]", "is_test = \"id == 'evt_1'\"\n[events.signup]"), "it is ignored"),
        ("acme.toml", GOOD.replace("[events.signup]", "[events.another]"), "the source has no event of that name"),
        ("acme.toml", GOOD.replace("[events.signup]", "[events.another]"), "another has no fixture another.json"),
        ("fixtures/acme/signup.json", json.dumps(EVENT | {"tenant": "a/b"}), "names no tenant"),
        ("fixtures/acme/other.json", "{}", "other.json: the source has no event of that name"),
        ("fixtures/nobody", "", "fixtures/nobody: there is no source of that name"),
        ("Acme.toml", GOOD, "Acme.toml: a source is named in lower case"),
    ],
)
def test_a_fault_is_told_with_its_file(folder: Path, path: str, text: str, fault: str) -> None:
    (folder / path).write_text(text)
    with pytest.raises(Unmapped) as caught:
        check(folder)
    assert fault in str(caught.value)


def test_a_fault_stops_the_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sources" / "fixtures").mkdir(parents=True)
    (tmp_path / "sources" / "acme.toml").write_text(GOOD)
    monkeypatch.setattr(artifact, "FUNCTIONS", tmp_path)
    assert artifact.main(["x86_64", str(tmp_path / "built")]) == 1
    assert "signup has no fixture signup.json" in capsys.readouterr().err
    assert not (tmp_path / "built").exists()
