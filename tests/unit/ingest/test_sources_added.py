"""A sender of one's own is one TOML file and one fixture: with two more, all that is true of any source holds for them.

One is the example of docs/guides/add-a-sender.md, taken out of the page; the other copies a preset under another name.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.build.sources import Mapped, check_all
from infra.local.webhook_events import Event
from provisioner.ingest.mapping import to_request
from provisioner.ingest.sources import FOLDER, Sources
from tests.webhook_senders import PRESETS

PROJECT = FOLDER.parents[1]
PARTS = ("functions", "infra", "tests", "docs")
ABOUT_SOURCES = re.compile(r"\bsources\b|webhook_senders")
OTHER_TESTS = re.compile(r"/unit/cli/|fuzz|test_sources_added")
"""Tests that take long and read no source of the copy's own: the command's, which has a service of its own to ask."""
SHOWN_FILE = re.compile(r"^\d\. `functions/sources/(\S+)`.*?\n   ```\w+\n(.*?)   ```", re.DOTALL | re.MULTILINE)


def add_the_pages(folder: Path) -> None:
    """The files that "Add a sender" shows, under the names that it gives them."""
    page = (PROJECT / "docs" / "guides" / "add-a-sender.md").read_text(encoding="utf-8")
    for path, text in SHOWN_FILE.findall(page):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("".join(line.removeprefix("   ") for line in text.splitlines(keepends=True)))


def add_a_copy(folder: Path, name: str) -> None:
    shutil.copy(folder / "standard-webhooks.toml", folder / f"{name}.toml")
    shutil.copytree(folder / "fixtures" / "standard-webhooks", folder / "fixtures" / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The presets, and two more."""
    folder = tmp_path / "functions" / "sources"
    for preset in PRESETS:
        shutil.copytree(FOLDER / "fixtures" / preset, folder / "fixtures" / preset)
        shutil.copy(FOLDER / f"{preset}.toml", folder)
    add_the_pages(folder)
    add_a_copy(folder, "polar")
    return folder


def test_the_page_shows_a_source_that_builds(folder: Path) -> None:
    checked = list(check_all(folder))
    assert [each for each in checked if isinstance(each, str)] == []
    mapped = [each for each in checked if isinstance(each, Mapped)]
    [shown] = [each for each in mapped if each.source.name == "github"]
    assert (shown.request.tenant, shown.request.request_id) == ("acme", "installation-957387-created")
    assert [each.name for each in shown.request.types] == ["Account"]


def test_a_redelivery_is_the_same_request_and_another_event_is_not(folder: Path) -> None:
    source = Sources(folder).find("github")
    assert source
    event = json.loads((folder / "fixtures" / "github" / "installation.json").read_text())
    another = event | {"installation": event["installation"] | {"id": 957388}}
    requests = [to_request(source, each, None) for each in (event, event, another)]
    assert requests[0] == requests[1] != requests[2]


@pytest.mark.parametrize(("name", "event"), [("github", "installation"), ("polar", "signup.completed")])
def test_make_send_creates_a_new_event_each_time(folder: Path, name: str, event: str) -> None:
    made = [Event.of(name, event, "globex", folder=folder) for _ in range(2)]
    requests = [to_request(each.source, each.document, each.delivery_id) for each in made]
    assert all(isinstance(each, dict) and each["tenant"] == "globex" for each in requests)
    assert requests[0] != requests[1]


def test_the_tests_of_the_project_accept_another_source(folder: Path) -> None:
    """The project's own tests, those that have to do with sources, in a copy of the project that has the two."""
    project = folder.parents[1]
    for part in PARTS:
        ignored = shutil.ignore_patterns("__pycache__", *(["sources"] if part == "functions" else []))
        shutil.copytree(PROJECT / part, project / part, ignore=ignored, dirs_exist_ok=True)
    shutil.copy(PROJECT / "pyproject.toml", project)
    tests = [
        str(path)
        for path in sorted((project / "tests" / "unit").rglob("test_*.py"))
        if not OTHER_TESTS.search(str(path)) and ABOUT_SOURCES.search(path.read_text(encoding="utf-8"))
    ]
    tests.append(str(project / "tests" / "architecture" / "test_webhook_docs.py"))
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *tests]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)  # noqa: S603
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr
    for name in ("test_mapping.py", "test_webhooks.py"):
        assert re.search(rf"{name}\S+\[github/installation\] PASSED", ran.stdout)
        assert re.search(rf"{name}\S+\[polar/signup.completed\] PASSED", ran.stdout)
