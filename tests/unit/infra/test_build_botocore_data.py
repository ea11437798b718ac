"""The reduction of botocore's data, on a small copy."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from infra.build.botocore_data import cut_data, without_documentation

MODEL: dict[str, Any] = {
    "documentation": "<p>long</p>",
    "operations": {
        "SendMessage": {"input": {"shape": "Message"}, "errors": [{"shape": "NoSuchQueue"}]},
        "PurgeQueue": {"input": {"shape": "Purge"}},
    },
    "shapes": {
        "Message": {"members": {"documentation": {"shape": "Text", "documentation": "<p>a member by that name</p>"}}},
        "Text": {"type": "string", "documentation": "x"},
        "NoSuchQueue": {"members": {"inner": {"shape": "NoSuchQueue"}}},
        "Purge": {"members": {"name": {"shape": "Text"}}},
    },
}
MODEL_WITHOUT: dict[str, Any] = {
    "operations": {"SendMessage": MODEL["operations"]["SendMessage"]},
    "shapes": {
        "Message": {"members": {"documentation": {"shape": "Text"}}},
        "Text": {"type": "string"},
        "NoSuchQueue": {"members": {"inner": {"shape": "NoSuchQueue"}}},
    },
}


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


def botocore_data(folder: Path) -> Path:
    services: dict[str, Any] = {"sqs": {"endpoints": {}}, "ec2": {"endpoints": {}}}
    put(folder / "endpoints.json", {"version": 3, "partitions": [{"regions": {"eu-1": {}}, "services": services}]})
    put(folder / "_retry.json", {"retry": "kept"})
    put(folder / "sqs" / "2011-01-01" / "service-2.json.gz", {"old": True})
    put(folder / "sqs" / "2012-11-05" / "service-2.json.gz", MODEL)
    put(folder / "sqs" / "2012-11-05" / "endpoint-rule-set-1.json.gz", {"rules": []})
    put(folder / "sqs" / "2012-11-05" / "examples-1.json", {})
    put(folder / "ec2" / "2016-11-15" / "service-2.json.gz", MODEL)
    return folder


def test_the_newest_version_of_each_used_service_stays(tmp_path: Path) -> None:
    cut_data(botocore_data(tmp_path / "data"))
    left = {str(path.relative_to(tmp_path / "data")) for path in (tmp_path / "data").rglob("*") if path.is_file()}
    assert left == {
        "endpoints.json",
        "_retry.json",
        "sqs/2012-11-05/service-2.json",
        "sqs/2012-11-05/endpoint-rule-set-1.json",
    }


def test_the_operators_function_has_models_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.build.botocore_data.OPERATOR_OPERATIONS", {"sqs": ("PurgeQueue",)})
    cut_data(botocore_data(tmp_path / "data"))
    [written] = [path for path in (tmp_path / "operator-models").rglob("*") if path.is_file()]
    assert str(written.relative_to(tmp_path)) == "operator-models/sqs/2012-11-05/service-2.json"
    assert json.loads(written.read_text())["operations"].keys() == {"SendMessage", "PurgeQueue"}
    others = json.loads((tmp_path / "data" / "sqs" / "2012-11-05" / "service-2.json").read_text())
    assert others["operations"].keys() == {"SendMessage"}


def test_endpoints_keep_their_partitions_and_regions(tmp_path: Path) -> None:
    cut_data(botocore_data(tmp_path / "data"))
    endpoints = json.loads((tmp_path / "data" / "endpoints.json").read_text())
    assert endpoints == {
        "version": 3,
        "partitions": [{"regions": {"eu-1": {}}, "services": {"sqs": {"endpoints": {}}}}],
    }


def test_models_keep_used_operations_and_members_named_documentation(tmp_path: Path) -> None:
    cut_data(botocore_data(tmp_path / "data"))
    assert json.loads((tmp_path / "data" / "sqs" / "2012-11-05" / "service-2.json").read_text()) == MODEL_WITHOUT
    assert without_documentation(MODEL_WITHOUT) == MODEL_WITHOUT
