"""The cache of the build, and the installation of dependencies."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from infra.build import artifact, dependencies
from infra.build.trim import Stale, trim, trim_dist_info


def make_one(folder: Path) -> None:
    (folder / "made").write_text("complete")


def fail_half_way(folder: Path) -> None:
    (folder / "made").write_text("half")
    raise RuntimeError("no network")


def test_a_built_folder_is_kept(tmp_path: Path) -> None:
    first = artifact.cached(tmp_path, "arm64-1", make_one)
    assert artifact.cached(tmp_path, "arm64-1", fail_half_way) == first
    assert (first / "made").read_text() == "complete"


def test_an_unfinished_folder_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        artifact.cached(tmp_path, "arm64-1", fail_half_way)
    assert list(tmp_path.iterdir()) == []
    assert (artifact.cached(tmp_path, "arm64-1", make_one) / "made").exists()


def test_the_first_of_two_parallel_builds_wins(tmp_path: Path) -> None:
    def overtaken(folder: Path) -> None:
        (tmp_path / "arm64-1").mkdir()
        (tmp_path / "arm64-1" / "made").write_text("by the other build")
        make_one(folder)

    assert (artifact.cached(tmp_path, "arm64-1", overtaken) / "made").read_text() == "by the other build"
    assert [path.name for path in tmp_path.iterdir()] == ["arm64-1"]


def test_outdated_folders_are_removed(tmp_path: Path) -> None:
    for name in ("arm64-1", "arm64-2", "x86_64-1"):
        (tmp_path / name).mkdir()
    artifact.forget(tmp_path, "arm64", "arm64-2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arm64-2", "x86_64-1"]


def test_the_fingerprint_depends_on_architecture_and_requirements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = artifact.fingerprint("arm64")
    assert before != artifact.fingerprint("x86_64")
    assert before == artifact.fingerprint("arm64")
    changed = tmp_path / "requirements.txt"
    changed.write_text(artifact.REQUIREMENTS.read_text() + "\n")
    monkeypatch.setattr(artifact, "REQUIREMENTS", changed)
    assert before != artifact.fingerprint("arm64")


@pytest.mark.parametrize("arguments", [[], ["arm64"], ["sparc", "folder"], ["arm64", ""]])
def test_wrong_arguments_are_rejected(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert artifact.main(arguments) == 2
    assert "usage" in capsys.readouterr().err


def test_pip_installs_where_uv_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "OWN_UV", tmp_path / "no-uv")
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    command = " ".join(dependencies.installer("aarch64"))
    assert " -m pip install " in command
    assert "--platform manylinux2014_aarch64" in command


def test_an_error_without_uv_and_pip_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "OWN_UV", tmp_path / "no-uv")
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(dependencies.InstallError, match="make install"):
        dependencies.installer("x86_64")


def test_a_requirement_whose_hash_is_wrong_is_not_installed(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(dependencies.InstallError, match=r"requirements\.txt"):
        dependencies.install(requirements, "x86_64", tmp_path / "target")


def test_a_rule_for_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Stale, match="boto3/data"):
        trim(tmp_path)


def test_a_package_keeps_its_name_version_and_licenses(tmp_path: Path) -> None:
    (tmp_path / "licenses").mkdir()
    (tmp_path / "licenses" / "LICENSE").write_text("MIT")
    (tmp_path / "RECORD").write_text("x,,")
    (tmp_path / "METADATA").write_text("Metadata-Version: 2.4\nName: x\nVersion: 1.2\nSummary: s\n\nA long text\n")
    trim_dist_info(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["METADATA", "licenses"]
    assert (tmp_path / "METADATA").read_text() == "Metadata-Version: 2.4\nName: x\nVersion: 1.2\n"
