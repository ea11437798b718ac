"""Every relative link, anchor, image, path and navigation entry of README and docs leads somewhere."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.architecture.conftest import PROJECT

DOCS = PROJECT / "docs"
PAGES = sorted([*PROJECT.glob("*.md"), *DOCS.rglob("*.md")])
FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
CODE_PATH = re.compile(r"`((?:functions|infra|tests|docs|cli)/[\w./*-]*)`")
ADDED_BY_THE_READER = re.compile(r"functions/sources/(fixtures/)?github")  # the example of guides/add-a-sender.md


def prose(page: Path) -> str:
    """Return the page without its fenced code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors that both GitHub and the documentation site give the page's headings."""
    headings = [re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", each) for each in HEADING.findall(prose(page))]
    return {_github(each) for each in headings} & {_site(each) for each in headings}


def _github(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _site(heading: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_only).strip().lower())


def dead_links(page: Path) -> Iterator[str]:
    """Yield the page's relative links that lead nowhere, or from the site to a file that the site does not have."""
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        leaves_the_site = DOCS in page.parents and not target.is_relative_to(DOCS)
        is_missing = not target.exists()
        if is_missing or leaves_the_site or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert [*dead_links(page)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_path_in_code_font_exists(page: Path) -> None:
    paths = [path for path in CODE_PATH.findall(prose(page)) if not ADDED_BY_THE_READER.match(path)]
    assert [path for path in paths if not [*PROJECT.glob(path.rstrip("/"))]] == []


def test_dead_links_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.architecture.test_links.DOCS", tmp_path / "docs")
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Top\n")
    page = tmp_path / "docs" / "page.md"
    page.write_text(
        "# A `b` c\n[a](#a-b-c) [b](#a-b) [c](other.md) [d](../README.md) [e](https://close.com) ![f](f.svg)\n"
    )
    assert [*dead_links(page)] == ["#a-b", "other.md", "../README.md", "f.svg"]


def test_every_page_is_in_the_navigation_once_and_every_entry_exists() -> None:
    configuration = yaml.load((PROJECT / "mkdocs.yml").read_text(encoding="utf-8"), Loader=_Configuration)  # noqa: S506
    entries = [*_entries(configuration["nav"])]
    assert sorted(entries) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
    assert "plugins" not in configuration


class _Configuration(yaml.SafeLoader):
    """Reads mkdocs.yml, with None for each Python name in it."""


_Configuration.add_multi_constructor("tag:yaml.org,2002:python/name:", lambda _loader, _name, _node: None)


def _entries(navigation: object) -> Iterator[str]:
    match navigation:
        case str(entry):
            yield entry
        case dict() | list():
            for each in navigation.values() if isinstance(navigation, dict) else navigation:
                yield from _entries(each)
