"""The program in a process of its own, on a pseudo-terminal, against a server on this machine."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.architecture.conftest import PROJECT

PATIENCE = 60.0
HEARS_CTRL_C = ("/usr/bin/env", "--default-signal=INT")
"""A shell starts jobs in the background with Ctrl-C ignored, and their children inherit that."""
SETSID = shutil.which("setsid") or "setsid"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Answers:
    """The answers of the server by ``METHOD /path`` or by ``X-Amz-Target``: a document, or a status with one."""

    by_route: dict[str, Any]
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serving(answers: Answers, state: Path) -> Iterator[dict[str, str]]:
    """Serve them, and yield the environment in which the program takes this server for the local stack."""

    class AnswerHandler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            target = self.headers.get("x-amz-target", "").rpartition(".")[2]
            route = target or f"{self.command} {self.path.partition('?')[0].removeprefix('/live')}"
            answers.asked.append((route, body))
            answer = answers.by_route.get(route, (403, {"message": "Missing Authentication Token"}))
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            status, document = answer if isinstance(answer, tuple) else (200, answer)
            plain = isinstance(document, str)
            content = document.encode() if plain else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "text/plain" if plain else "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = respond  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), AnswerHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    described = {"api_url": f"{url}/live", "aws_endpoint_url": url, "region": "us-east-1"}
    prefixes = {"tenant_secret_prefix": "p/tenants", "source_secret_prefix": "p/sources"}
    (state / "stack.json").write_text(json.dumps(described | prefixes))
    (state / "run.lock").write_text(str(os.getpid()))
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    try:
        yield {
            **inherited,
            "PYTHONPATH": str(PROJECT / "cli"),
            "CLOSE_PROVISIONER_LOCAL": str(state),
            "TERM": "xterm-256color",
        }
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class PseudoTerminal:
    """A running program on a pseudo-terminal."""

    process: subprocess.Popen[bytes]
    master: int
    shown: str = ""

    def until(self, text: str) -> str:
        """Read until the text is shown, and return everything since the last key. Raises ``TimeoutError``."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.plain:
            if time.monotonic() > deadline or not self._read(deadline - time.monotonic()):
                raise TimeoutError(f"{text!r} was not shown:\n{self.plain}")
        return self.plain

    def press(self, keys: str) -> None:
        self.shown = ""
        os.write(self.master, keys.encode())

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        while self._read(PATIENCE):
            pass
        code = self.process.wait(PATIENCE)
        os.close(self.master)
        return code

    @property
    def plain(self) -> str:
        """The text without colors and movements."""
        return ESCAPES.sub("", self.shown)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], max(seconds, 0))
        if not ready:
            return False
        try:
            found = os.read(self.master, 65_536)
        except OSError:  # Linux reports the end of a terminal so
            return False
        self.shown += found.decode(errors="replace")
        return bool(found)


def start(environment: dict[str, str], *words: str, columns: int = 80) -> PseudoTerminal:
    """Start the program as the leader of a session whose terminal is that wide, so that Ctrl-C reaches it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(  # noqa: S603 - our own program
        [SETSID, "--ctty", *HEARS_CTRL_C, sys.executable, "-m", "close_provisioner", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        cwd=environment["CLOSE_PROVISIONER_LOCAL"],
    )
    os.close(slave)
    return PseudoTerminal(process, master)
