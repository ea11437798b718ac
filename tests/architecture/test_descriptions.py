"""The API descriptions agree with the code."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from infra.generate.__main__ import documents, main, outdated
from infra.generate.readme import TableChanged, measured
from provisioner.contract.errors import ProblemType

INFRA = Path(__file__).parents[2] / "infra"

REQUEST = {
    "tenant": "acme",
    "request_id": "signup-8841",
    "custom_object_type": {"name": "Account", "name_plural": "Accounts"},
}


def test_the_generated_files_agree_with_the_models() -> None:
    assert outdated() == [], "run python -m infra.generate"


def test_drift_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("infra.generate.__main__.ROOT", tmp_path)
    for name in ("README.md", ".python-version", *(f"docs/explanation/{each}.md" for each in ("faults", "benchmarks"))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(INFRA.parent / name, tmp_path / name)
    (page := tmp_path / "docs" / "reference" / "parameters.md").parent.mkdir(parents=True)
    page.write_text("Before\n<!-- parameters -->\nold\n<!-- /parameters -->\nafter\n")
    (tmp_path / "docs" / "guides").mkdir()
    (tmp_path / "docs" / "guides" / "runbook.md").write_text("<!-- reasons -->\n<!-- /reasons -->\n")
    (tmp_path / "template.yaml").write_text("Parameters:\n  Lag: {Type: Number, Default: 60, Description: How long.}\n")
    assert main(["--check"]) == 1
    assert "infra/openapi.yaml is out of date" in capsys.readouterr().out
    assert main([]) == 0
    assert main(["--check"]) == 0
    read = {".python-version", "template.yaml", "docs/explanation/faults.md", "docs/explanation/benchmarks.md"}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {*documents(), *read}
    assert "| `Lag` | `60` | How long. |" in page.read_text()


def test_the_openapi_document_is_valid() -> None:
    validate(yaml.safe_load((INFRA / "openapi.yaml").read_text(encoding="utf-8")))


def test_the_openapi_document_knows_every_problem() -> None:
    document = yaml.safe_load((INFRA / "openapi.yaml").read_text(encoding="utf-8"))
    routes = ("/v1/provisioning-requests", "/v1/webhooks/{source}")
    offered = {status for route in routes for status in document["paths"][route]["post"]["responses"]}
    elsewhere = {ProblemType.NOT_FOUND, ProblemType.METHOD_NOT_ALLOWED, ProblemType.REQUEST_NOT_FOUND}
    assert {str(kind.value[2]) for kind in ProblemType if kind not in elsewhere} <= offered


@pytest.mark.parametrize(
    ("change", "valid"),
    [({}, True), ({"if_exists": "fail"}, True), ({"tenant": "a b"}, False), ({"tenants": "acme"}, False)],
)
def test_the_request_schema_tells_good_from_bad(change: dict[str, str], valid: bool) -> None:
    schema = json.loads((INFRA / "schemas" / "request.json").read_text(encoding="utf-8"))
    assert Draft202012Validator(schema).is_valid(REQUEST | change) is valid


def test_the_numbers_of_the_readme_are_those_of_the_measured_tables(tmp_path: Path) -> None:
    pages = {name: INFRA.parent / "docs" / "explanation" / f"{name}.md" for name in ("faults", "benchmarks")}
    (folder := tmp_path / "docs" / "explanation").mkdir(parents=True)
    texts = {name: path.read_text(encoding="utf-8") for name, path in pages.items()}
    baseline, ours = measured(INFRA.parent)
    assert re.search(rf"^\| matrix: Close Provisioner +\| +{ours.cases} \|", texts["faults"], re.MULTILINE)
    assert ours.duplicates == "0"
    assert (baseline.cold_start, baseline.batch) > (ours.cold_start, 5)
    (folder / "faults.md").write_text(texts["faults"].replace("matrix: ", "grid: "))
    (folder / "benchmarks.md").write_text(texts["benchmarks"])
    with pytest.raises(TableChanged, match="'matrix'"):
        measured(tmp_path)
