"""Workflows run what a contributor runs, with pinned actions and no more permissions than they use."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.conftest import PROJECT

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
WRITES = {
    ("docs.yml", "deploy"): {"pages": "write", "id-token": "write"},
    ("release.yml", "publish"): {"contents": "write", "id-token": "write", "attestations": "write"},
    ("deploy.yml", "dev"): {"contents": "read", "id-token": "write"},
    ("deploy.yml", "accept"): {"contents": "read", "id-token": "write"},
    ("deploy.yml", "prod"): {"contents": "read", "id-token": "write"},
}
"""The jobs that may write, and where."""


def workflow(path: Path) -> dict[str, Any]:
    # BaseLoader keeps the key ``on`` a string.
    loaded: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    return loaded


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_its_jobs_write_only_as_listed(path: Path) -> None:
    assert workflow(path)["permissions"] == {"contents": "read"}
    for name, job in workflow(path)["jobs"].items():
        assert job.get("permissions") == WRITES.get((path.name, name)), name
        assert int(job["timeout-minutes"]) <= 30


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_keep_no_credentials(path: Path) -> None:
    for job in workflow(path)["jobs"].values():
        for step in job["steps"]:
            if uses := step.get("uses"):
                assert re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", uses), uses
            if (uses or "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == "false"


def test_the_tests_are_those_of_make_test() -> None:
    steps = [step.get("run") for step in workflow(PROJECT / ".github/workflows/test.yml")["jobs"]["test"]["steps"]]
    assert ".ci/run" in steps
    assert "make test" in (PROJECT / ".ci" / "run").read_text()


@pytest.mark.parametrize("path", sorted((PROJECT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name)
def test_an_issue_form_has_what_github_requires(path: Path) -> None:
    form = workflow(path)
    if path.name == "config.yml":
        assert set(form) == {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(form)
    ids = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(ids) == len(set(ids))


def test_prod_gets_what_dev_was_accepted_with() -> None:
    jobs = workflow(PROJECT / ".github/workflows/deploy.yml")["jobs"]
    assert [(name, job.get("needs"), job.get("environment")) for name, job in jobs.items()] == [
        ("build", None, None),
        ("dev", "build", "dev"),
        ("accept", "dev", "dev"),
        ("prod", "accept", "prod"),
    ]
    assert jobs["dev"]["steps"] == jobs["prod"]["steps"]
    built = [step["run"] for job in jobs.values() for step in job["steps"] if "sam build" in step.get("run", "")]
    assert len(built) == 1


def test_no_workflow_uses_a_stored_key() -> None:
    for path in WORKFLOWS:
        assert "secrets." not in path.read_text(encoding="utf-8"), path.name
