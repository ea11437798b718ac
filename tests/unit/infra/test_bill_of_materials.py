"""The bill of materials of the artifact: every pinned package, with its hashes, and the same bytes each time."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from infra.local.config import PROJECT
from infra.release.bill_of_materials import bill_of_materials

PINNED = """# a comment
httpx==0.28.1 \\
    --hash=sha256:{one} \\
    --hash=sha256:{other}
typing_extensions==4.16.0 ; python_version < '3.14' \\
    --hash=sha256:{one}
""".format(one="1" * 64, other="2" * 64)


def test_each_pinned_package_is_a_component_with_its_hashes() -> None:
    bill = bill_of_materials(PINNED, "1.2.3")
    assert [(each["purl"], len(each["properties"])) for each in bill["components"]] == [
        ("pkg:pypi/httpx@0.28.1", 2),
        ("pkg:pypi/typing-extensions@4.16.0", 1),
    ]
    assert bill["metadata"]["component"]["version"] == "1.2.3"
    assert bill["dependencies"][0]["dependsOn"] == [each["bom-ref"] for each in bill["components"]]
    assert bill == bill_of_materials(PINNED, "1.2.3")
    assert bill["serialNumber"] != bill_of_materials(PINNED, "1.2.4")["serialNumber"]


def test_a_requirement_that_is_not_pinned_is_an_error() -> None:
    with pytest.raises(ValueError, match="httpx>=1"):
        bill_of_materials("httpx>=1\n", "1")


def test_the_bill_of_this_checkout_names_what_the_functions_import() -> None:
    command = [sys.executable, "-m", "infra.release.bill_of_materials"]
    done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)  # noqa: S603
    named = {each["name"]: each["version"] for each in json.loads(done.stdout)["components"]}
    for package in ("httpx", "pydantic", "botocore", "aws-lambda-powertools"):
        assert named[package] == version(package)
