"""The garbage collector is off during a cold start, and on again after it."""

from provisioner.handlers.cold_start import once

import gc
import subprocess
import sys

import pytest

from tests.architecture.conftest import PROJECT

IMPORT = "import gc; import provisioner.handlers.cold_start; print(gc.isenabled())"


@pytest.mark.parametrize(
    ("environment", "enabled"), [({"AWS_LAMBDA_FUNCTION_NAME": "api"}, "False"), ({}, "True")], ids=["lambda", "tests"]
)
def test_the_collector_is_off_in_lambda_only(environment: dict[str, str], enabled: str) -> None:
    variables = environment | {"PYTHONPATH": str(PROJECT / "functions")}
    command = [sys.executable, "-c", IMPORT]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)  # noqa: S603
    assert ended.stdout.strip() == enabled


def test_the_collector_is_on_once_the_dependencies_are_made() -> None:
    enabled: list[bool] = []

    @once
    def make() -> object:
        enabled.append(gc.isenabled())
        return object()

    gc.disable()
    try:
        assert make() is make()
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
    assert enabled == [False]


def test_the_collector_is_on_even_if_the_dependencies_cannot_be_made() -> None:
    def fail() -> None:
        raise ValueError("a setting is missing")

    gc.disable()
    try:
        with pytest.raises(ValueError, match="a setting is missing"):
            once(fail)()
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
