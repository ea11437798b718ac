"""The HTTP API page explains every status that the signed routes return, README.md every option of ``make run``."""

import re

from infra.local.config import Options
from provisioner.contract.errors import ProblemType
from tests.architecture.conftest import PROJECT

PAGE = (PROJECT / "README.md").read_text(encoding="utf-8")
HTTP_API = (PROJECT / "docs" / "reference" / "http-api.md").read_text(encoding="utf-8")
ELSEWHERE = {
    ProblemType.METHOD_NOT_ALLOWED,
    ProblemType.INVALID_SIGNATURE,
}  # no route of ours, and the webhooks handler


def test_every_status_is_explained() -> None:
    table = HTTP_API.partition("| status | means |")[2].partition("\n\n")[0]
    explained = {
        status for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for status in re.findall(r"\d+", row)
    }
    assert {str(kind.value[2]) for kind in ProblemType if kind not in ELSEWHERE} | {"200", "201", "202"} == explained


def test_every_option_of_a_run_is_named() -> None:
    assert {name for name in Options.variables() if f"`{name}" not in PAGE} == set()


def test_the_readme_stays_short_and_begins_with_promise_picture_and_numbers() -> None:
    assert len(PAGE.splitlines()) <= 160
    first_screen = "\n".join(PAGE.splitlines()[:45])
    assert "**Create Custom Object Types in Close CRM exactly once, even when Close never answers.**" in first_screen
    in_order = [
        "docs/images/badges/",
        "docs/images/make-run.svg",
        "<!-- numbers -->",
        "git clone",
        "\nmake run",
        "\nmake send",
    ]
    assert sorted(in_order, key=first_screen.index) == in_order
    assert "```mermaid" in PAGE
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert headings[:4] == ["Quick start", "How it works", "Guarantees", "Four ways in"]


def test_every_guide_and_reference_page_is_linked_from_the_readme_or_the_home_page() -> None:
    home = (PROJECT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [path.relative_to(PROJECT / "docs").as_posix() for path in (PROJECT / "docs").glob("[!d]*/*.md")]
    assert len(pages) > 20
    assert [page for page in pages if f"({page}" not in home and f"(docs/{page}" not in PAGE] == []
