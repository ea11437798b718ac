"""The built artifact: for the right machine, self-contained, small, and reproducible."""

import ast
import hashlib
import json
import marshal
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import boto3
import pytest

from infra.build import artifact
from infra.build.botocore_data import SERVICES
from infra.build.bytecode import TASK_ROOT

HERE = "x86_64" if os.uname().machine == "x86_64" else "arm64"
ELF_MACHINES = {"x86_64": 62, "arm64": 183}  # e_machine, from the ELF specification
REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-7", "cn-north-1", "us-gov-west-1")
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact for the architecture of this machine."""
    folder = tmp_path_factory.mktemp("artifact")
    artifact.build(HERE, folder)
    return folder


def run_in(folder: Path, code: str) -> str:
    """Runs the code with the artifact as the only place besides the standard library to import from."""
    environment = {"PYTHONPATH": str(folder), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def services_asked_for() -> set[str]:
    """Every service that our source makes a client for: the constant first argument of a call named ``client``."""
    found = set()
    for path in (artifact.FUNCTIONS / "provisioner").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case (
                    ast.Call(func=ast.Name(id="client"), args=[ast.Constant(value=str(name)), *_])
                    | ast.Call(
                        func=ast.Attribute(attr="client" | "create_client"), args=[ast.Constant(value=str(name)), *_]
                    )
                ):
                    found.add(name)
    return found


@pytest.mark.parametrize("architecture", ELF_MACHINES)
def test_compiled_libraries_are_for_the_architecture(architecture: str, tmp_path: Path) -> None:
    artifact.build(architecture, tmp_path)
    libraries = list(tmp_path.rglob("*.so"))
    assert libraries
    for library in libraries:
        [machine] = struct.unpack_from("<H", library.read_bytes(), offset=18)
        assert machine == ELF_MACHINES[architecture], library.name


def test_the_same_sources_make_the_same_artifact(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "CACHE", tmp_path / "another-cache")
    artifact.build(HERE, tmp_path / "again")
    assert digests(tmp_path / "again") == digests(built)


def test_every_handler_can_be_imported(built: Path) -> None:
    for handler in ("api", "webhooks", "events", "worker", "sweeper", "operator"):
        place = run_in(
            built,
            f"import provisioner.handlers.{handler} as module; print(callable(module.lambda_handler), module.__file__)",
        )
        assert place.split() == ["True", str(built / "provisioner" / "handlers" / f"{handler}.py")]


@pytest.mark.parametrize("handler", ["api", "webhooks", "worker"])
def test_a_start_compiles_almost_nothing(built: Path, handler: str) -> None:
    """Some texts of the standard library and one package are left, of some 440 texts and 200 patterns."""
    code = f"""
import os, re, sys
os.environ["AWS_LAMBDA_FUNCTION_NAME"] = "test"
texts, patterns, parse = [], [], re._compiler._parser.parse
sys.addaudithook(lambda event, given: event == "compile" and given[0] is not None and texts.append(given[0]))
re._compiler._parser.parse = lambda pattern, *more: patterns.append(pattern) or parse(pattern, *more)
import provisioner.handlers.{handler}
print(len(texts), len(patterns))"""
    texts, patterns = map(int, run_in(built, code).split())
    assert texts <= 60
    assert patterns <= 25


def test_the_webhooks_handler_has_no_code_that_reaches_close(built: Path) -> None:
    code = """
import sys, provisioner.handlers.webhooks
reach_close = {"httpx", "provisioner.close.client", "provisioner.credentials.tenants"}
reach_close |= {"provisioner.reconcile.provisioner"}
print(*sorted(reach_close & sys.modules.keys()))"""
    assert run_in(built, code).split() == []


def test_the_services_in_it_are_those_the_source_asks_for(built: Path) -> None:
    inside = {path.name for path in (built / "botocore" / "data").iterdir() if path.is_dir()}
    assert inside == set(SERVICES) == services_asked_for()


def test_a_client_for_each_service_speaks_to_the_same_endpoint_as_an_untrimmed_one(built: Path) -> None:
    code = f"""
import boto3, json
print(json.dumps([
    boto3.client(service, region_name=region).meta.endpoint_url
    for service in {SERVICES!r} for region in {REGIONS!r}
]))"""
    untrimmed = [
        boto3.client(service, region_name=region).meta.endpoint_url for service in SERVICES for region in REGIONS
    ]
    assert json.loads(run_in(built, code)) == untrimmed


def test_errors_of_each_service_still_have_their_names(built: Path) -> None:
    code = """
import boto3
print(boto3.client("dynamodb", region_name="us-east-1").exceptions.TransactionCanceledException.__name__,
      boto3.client("sqs", region_name="us-east-1").exceptions.QueueDoesNotExist.__name__,
      boto3.client("secretsmanager", region_name="us-east-1").exceptions.ResourceNotFoundException.__name__)"""
    assert run_in(built, code).split() == [
        "TransactionCanceledException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    ]


def test_certificates_are_found_where_they_are_left(built: Path) -> None:
    code = """
import certifi, pathlib
from botocore.httpsession import get_cert_path
assert get_cert_path(True) == certifi.where()
print(pathlib.Path(certifi.where()).read_text().count("BEGIN CERTIFICATE"))"""
    assert int(run_in(built, code)) > 100


def test_libraries_still_know_their_versions(built: Path) -> None:
    code = "import importlib.metadata as m; print(m.version('pydantic'), m.version('boto3'))"
    pins = artifact.REQUIREMENTS.read_text()
    for name, version in zip(("pydantic", "boto3"), run_in(built, code).split(), strict=True):
        assert f"\n{name}=={version} " in pins


def test_everything_is_compiled_for_good(built: Path) -> None:
    """A compiled file beside each source, marked as never to be checked against it (PEP 552: flags 0b01)."""
    for source in built.rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00", source


def test_compiled_files_say_where_lambda_puts_them_and_not_where_they_were_made(built: Path) -> None:
    for compiled in built.rglob("*.pyc"):
        source = compiled.parent.parent / f"{compiled.name.partition('.')[0]}.py"
        code = marshal.loads(compiled.read_bytes()[16:])  # noqa: S302 - written by this very interpreter
        assert code.co_filename == f"{TASK_ROOT}/{source.relative_to(built)}"


def test_nothing_is_in_it_that_only_builds_or_tests_need(built: Path) -> None:
    assert not (built / "Makefile").exists()
    assert not (built / "requirements.txt").exists()
    assert not {path.name for path in built.rglob("*")} & {"tests", "RECORD", "conftest.py", "py.typed"}
    assert not list(built.rglob("*.pyi"))


def test_the_sources_are_in_it_and_are_found(built: Path) -> None:
    find = "print(*[Sources().find(each).name for each in Sources().names()])"
    code = f"from provisioner.ingest.sources import Sources; {find}"
    assert run_in(built, code).split() == sorted(path.stem for path in (artifact.FUNCTIONS / "sources").glob("*.toml"))


def test_the_artifact_is_small(built: Path, tmp_path: Path) -> None:
    target = tmp_path / "artifact.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(built.rglob("*")):
            archive.write(path, path.relative_to(built))
    assert target.stat().st_size <= 10 * MEGABYTE
