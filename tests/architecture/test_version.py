"""The package's version is the only source; every other place that names a version agrees with it."""

import re
import tomllib

import pytest
import yaml

from provisioner import __version__
from tests.architecture.conftest import PROJECT


def test_the_project_and_its_lock_have_the_packages_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    packages = tomllib.loads((PROJECT / "uv.lock").read_text(encoding="utf-8"))["package"]
    assert [each["version"] for each in packages if each["name"] == project["name"]] == [__version__]


def test_the_changelog_begins_with_this_version() -> None:
    entries = re.findall(
        r"^## \[(.+?)\] - (\S+)$", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert entries[0][0] == __version__
    assert [version for version, date in entries if not re.fullmatch(r"\d{4}-\d{2}-\d{2}|Unreleased", date)] == []


@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
def test_the_api_descriptions_have_this_version(name: str) -> None:
    description = yaml.safe_load((PROJECT / "infra" / name).read_text(encoding="utf-8"))
    assert description["info"]["version"] == __version__
