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
