"""A certificate authority for tests, and a server with its certificates: root, intermediate, and the server's own."""

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)
SIGNS = {"digital_signature": True, "key_cert_sign": False, "crl_sign": False}
SIGNS_CERTIFICATES = {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}
NOTHING_ELSE = dict.fromkeys(
    ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"),
    False,
)


@dataclass(frozen=True)
class Issuer:
    """A certificate that signs others, with its key. ``chain``: those between it and the root, itself included."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    chain: tuple[str, ...] = ()

    @classmethod
    def named(cls, name: str) -> Self:
        return cls(named(name))

    def root(self) -> str:
        """Return the self-signed certificate as PEM."""
        return self._sign(self.name, self.key.public_key(), [], None)

    def intermediate(self, name: str) -> "Issuer":
        """Return an issuer below this one."""
        below = Issuer.named(name)
        certificate = self._sign(below.name, below.key.public_key(), [], None)
        return Issuer(below.name, below.key, (certificate, *self.chain))

    def files(self, folder: Path, host: str = "localhost", expired: bool = False) -> Path:
        """Write a server's key, its certificate and the chain into one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(named(host), key.public_key(), [x509.DNSName(host)], -DAY if expired else None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        file = folder / f"{host}{'-expired' if expired else ''}-{id(self)}.pem"
        file.write_text("".join([pem, certificate, *self.chain]))
        return file

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        hosts: list[x509.DNSName],
        ends_in: dt.timedelta | None,
    ) -> str:
        now, public = dt.datetime.now(dt.UTC), self.key.public_key()
        usage = x509.KeyUsage(**NOTHING_ELSE, **(SIGNS if hosts else SIGNS_CERTIFICATES))
        builder = (
            x509.CertificateBuilder(self.name, subject, key, x509.random_serial_number())
            .not_valid_before(now - 2 * DAY)
            .not_valid_after(now + (ends_in or 30 * DAY))
            .add_extension(x509.BasicConstraints(ca=not hosts, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM).decode()


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def server_context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class _EmptyAnswers(BaseHTTPRequestHandler):
    """Answer any request with an empty JSON object, on a connection that is kept."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST  # noqa: N815 - the base class calls it so

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class _HttpsServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Leave a failed handshake to the client, which reports it."""


@contextmanager
def serve(file: Path, handler: type[BaseHTTPRequestHandler] = _EmptyAnswers) -> Iterator[int]:
    """Serve HTTPS on this machine with the certificates of the file. Yield the port."""
    server = _HttpsServer(("127.0.0.1", 0), handler)
    server.socket = server_context(file).wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
