"""The package's version is the only source; every other place that names a version agrees with it."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from provisioner import __version__
from tests.architecture.cloudformation_source import read_source
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


def test_the_published_application_has_this_version() -> None:
    assert published()["SemanticVersion"] == __version__


def test_the_published_application_is_as_the_repository_of_applications_takes_it() -> None:
    """SAM Developer Guide, "AWS SAM template Metadata section properties"."""
    about = published()
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,140}", about["Name"])
    assert about["Name"] == project["name"]
    assert 1 <= len(about["Description"]) <= 256
    assert re.fullmatch(r"[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?", about["Author"])
    assert about["SpdxLicenseId"] == project["license"]
    assert about["LicenseUrl"] in project["license-files"]
    assert about["ReadmeUrl"] == project["readme"]
    assert all(0 < (PROJECT / about[each]).stat().st_size <= 5 * 1_048_576 for each in ("LicenseUrl", "ReadmeUrl"))
    assert 1 <= len(about["Labels"]) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+\-_:/@]{1,127}", each) for each in about["Labels"])


def published() -> dict[str, Any]:
    found: dict[str, Any] = read_source(PROJECT / "template.yaml")["Metadata"]["AWS::ServerlessRepo::Application"]
    return found


@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
def test_the_api_descriptions_have_this_version(name: str) -> None:
    description = yaml.safe_load((PROJECT / "infra" / name).read_text(encoding="utf-8"))
    assert description["info"]["version"] == __version__
