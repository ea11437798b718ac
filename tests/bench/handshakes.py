"""Cold starts with their connections: AWS and Close are a server of this machine that speaks TLS."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.build.roots import lay_out_roots
from tests.bench.handlers import Handler
from tests.bench.processes import stubbed_world
from tests.bench.programs import Program
from tests.certificates import Issuer, serve


class TlsNeighbor(BaseHTTPRequestHandler):
    """Answer as the stubs of the other measurements do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, stubbed_world._TYPES)

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/api/v1/"):
            self._answer(201, stubbed_world._created(self.body))
        else:
            self._answer(200, stubbed_world._aws_answer(self))

    def _answer(self, status: int, content: Any) -> None:
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def over_tls(handlers: list[Handler]) -> Iterator[dict[str, Program]]:
    """Yield the program of each handler that answers one request over real connections."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        root = Issuer.named("Root of the bench")
        for each in handlers:
            if not (folder / each.folder.name).exists():
                trusting(root, each.folder, folder / each.folder.name)
        certificate = root.intermediate("Intermediate of the bench").files(folder)
        with serve(certificate, TlsNeighbor) as port:
            url = f"https://localhost:{port}"
            yield {each.name: _program(each, folder / each.folder.name, url) for each in handlers}


def trusting(root: Issuer, installed: Path, folder: Path) -> None:
    """Copy an installation, with one root more."""
    shutil.copytree(installed, folder, copy_function=os.link)
    certifi = folder / "certifi"
    bundle = certifi / "cacert.pem"
    roots = bundle.read_text(encoding="utf-8")
    bundle.unlink()  # a link to the installation's own
    bundle.write_text(roots + root.root(), encoding="utf-8")
    if (certifi / "roots").exists():
        shutil.rmtree(certifi / "roots")
        lay_out_roots(certifi)


def _program(handler: Handler, folder: Path, url: str) -> Program:
    moved = Handler(handler.name, folder, handler.module, handler.function, handler.environment)
    return moved.program("handler", 1).with_environment(
        BENCH_CONNECTS="1", AWS_ENDPOINT_URL=url, CLOSE_API_URL=f"{url}/api/v1/"
    )
