"""The shared TLS context, proven by handshakes: it trusts certifi's roots, and nothing else."""

import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import certifi
import pytest
from botocore.exceptions import SSLError
from cryptography import x509
from httpx import ConnectError

from infra.build.roots import CERTIFICATE, lay_out_roots
from provisioner import tls
from provisioner.aws import make_clients
from provisioner.service import _http
from tests.certificates import Issuer, serve, server_context

type Call = Callable[[str], object]


class TrustedRoots(NamedTuple):
    """An installed certifi whose file holds one root more, and that root."""

    bundle: Path
    root: Issuer


@pytest.fixture(params=["roots laid out", "one file"])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrustedRoots]:
    root = Issuer.named("Root of the test")
    bundle = tmp_path / "cacert.pem"
    bundle.write_text(Path(certifi.where()).read_text(encoding="utf-8") + root.root())
    if request.param == "roots laid out":
        lay_out_roots(tmp_path)
    monkeypatch.setattr(certifi, "where", lambda: str(bundle))
    for variable in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(time, "sleep", lambda _: None)  # botocore tries a failed handshake again
    tls.shared_context.cache_clear()
    yield TrustedRoots(bundle, root)
    tls.shared_context.cache_clear()


def call_close(url: str) -> object:
    with _http(url) as http:
        return http.get(url).json()


def call_aws(url: str) -> object:
    with patch.dict(os.environ, AWS_ENDPOINT_URL=url, **ENVIRONMENT):
        dynamodb = make_clients()("dynamodb")
    try:
        return dynamodb.get_item(TableName="ledger", Key={"pk": {"S": "one"}})
    finally:
        dynamodb.close()


ENVIRONMENT = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
REFUSED = (ConnectError, SSLError)
callers = pytest.mark.parametrize("call", [call_close, call_aws])


@callers
def test_a_chain_to_a_root_is_trusted(world: TrustedRoots, tmp_path: Path, call: Call) -> None:
    with serve(world.root.intermediate("Intermediate").files(tmp_path)) as port:
        call(f"https://localhost:{port}/")


@callers
def test_an_expired_certificate_is_refused(world: TrustedRoots, tmp_path: Path, call: Call) -> None:
    with (
        serve(world.root.intermediate("Intermediate").files(tmp_path, expired=True)) as port,
        pytest.raises(REFUSED, match="certificate has expired"),
    ):
        call(f"https://localhost:{port}/")


@callers
def test_a_certificate_of_another_host_is_refused(world: TrustedRoots, tmp_path: Path, call: Call) -> None:
    with (
        serve(world.root.intermediate("Intermediate").files(tmp_path, host="api.example.com")) as port,
        pytest.raises(REFUSED, match="Hostname mismatch"),
    ):
        call(f"https://localhost:{port}/")


@callers
def test_an_unknown_root_is_refused(world: TrustedRoots, tmp_path: Path, call: Call) -> None:
    with (
        serve(Issuer.named("Unknown root").intermediate("Intermediate").files(tmp_path)) as port,
        pytest.raises(REFUSED, match="unable to get local issuer certificate"),
    ):
        call(f"https://localhost:{port}/")


@callers
def test_a_root_of_the_same_name_with_another_key_is_refused(world: TrustedRoots, tmp_path: Path, call: Call) -> None:
    impostor = Issuer(world.root.name).intermediate("Intermediate")
    with serve(impostor.files(tmp_path)) as port, pytest.raises(REFUSED, match="certificate verify failed"):
        call(f"https://localhost:{port}/")


@callers
def test_a_chain_without_its_intermediate_is_refused(world: TrustedRoots, tmp_path: Path, call: Call) -> None:
    below = world.root.intermediate("Intermediate")
    with (
        serve(Issuer(below.name, below.key).files(tmp_path)) as port,
        pytest.raises(REFUSED, match="unable to get local issuer certificate"),
    ):
        call(f"https://localhost:{port}/")


@pytest.mark.parametrize("world", ["roots laid out"], indirect=True)
def test_handshakes_read_no_root_but_their_own(world: TrustedRoots, tmp_path: Path) -> None:
    with serve(world.root.intermediate("Intermediate").files(tmp_path)) as port:
        for call in (call_close, call_aws, call_aws):
            call(f"https://localhost:{port}/")
    [loaded] = tls.shared_context().get_ca_certs()
    assert loaded["subject"] == ((("commonName", "Root of the test"),),)


def test_a_bundle_that_the_environment_names_replaces_the_roots_for_aws(
    world: TrustedRoots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Issuer.named("Root of a company")
    bundle = tmp_path / "company.pem"
    bundle.write_text(own.root())
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with serve(own.files(tmp_path)) as port:
        call_aws(f"https://localhost:{port}/")
    with serve(world.root.files(tmp_path)) as port, pytest.raises(SSLError):
        call_aws(f"https://localhost:{port}/")


ROOTS = CERTIFICATE.findall(Path(certifi.where()).read_text(encoding="utf-8"))


class TestEveryRoot:
    """OpenSSL itself looks each root up: a server shows a certificate that claims to be issued by it."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "certifi"
        folder.mkdir()
        (folder / "cacert.pem").write_bytes(Path(certifi.where()).read_bytes())
        lay_out_roots(folder)
        return folder / "roots"

    def test_there_are_as_many_files_as_roots(self, folder: Path) -> None:
        assert len(list(folder.iterdir())) == len(ROOTS) > 100

    @pytest.mark.filterwarnings("ignore:Parsed a serial number")  # one has the serial number 0
    def test_it_is_found_by_its_subject(self, folder: Path, tmp_path: Path) -> None:
        for pem in ROOTS:
            root = x509.load_pem_x509_certificate(pem.encode())
            context = ssl.create_default_context(capath=folder)
            with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
                shake_hands(context, server_context(Issuer(root.subject).files(tmp_path)))
            assert ssl.PEM_cert_to_DER_cert(pem) in context.get_ca_certs(binary_form=True), root.subject


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Connect two contexts in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                continue
