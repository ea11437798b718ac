"""The baseline handler (tests/bench/baseline_handler.py), to be deployed in the place of all three functions.

With byte code and without botocore's models of other services, since the emulator unpacks it at every cold start, and
there is one after each failure: how slow it is must not count against it. With the one permission more that Powertools'
idempotency needs, which deletes its record when the handler fails.
"""

import shutil
from pathlib import Path

from infra.build.artifact import cached
from tests.bench.installations import KEPT, compiled
from tests.chaos.cluster import DeployedCode

SERVICES = {"dynamodb", "sns", "sqs", "secretsmanager"}


def baseline_code() -> DeployedCode:
    installed = compiled()
    lean = cached(KEPT, installed.name.replace("compiled", "lean"), lambda folder: _lean(installed, folder))
    return DeployedCode(lean, "baseline_handler.lambda_handler", ("api", "worker", "sweeper"), ("dynamodb:DeleteItem",))


def _lean(installed: Path, folder: Path) -> None:
    shutil.copytree(installed, folder, dirs_exist_ok=True)
    for each in (folder / "botocore" / "data").iterdir():
        if each.is_dir() and each.name not in SERVICES:
            shutil.rmtree(each)
