"""One function under the Lambda Runtime Interface Emulator, with the runtime's own client and the artifact only.

The emulator comes with the SAM CLI. It accepts one call at a time, and responds to a timeout with 200 and plain text.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import files
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
EMULATORS = PROJECT / ".tools" / "sam" / "lib" / "python3.13" / "site-packages" / "samcli" / "local" / "rapid"
EMULATOR = EMULATORS / f"aws-lambda-rie-{'x86_64' if os.uname().machine == 'x86_64' else 'arm64'}"
RUNTIME_CLIENT = ("awslambdaric", "simplejson", "snapshot_restore_py")
"""The distributions that are part of Lambda's runtime."""
READY_WITHIN_SECONDS = 20


def copy_runtime_client(folder: Path) -> None:
    """Copy the runtime's client to a folder, where it can be imported without the rest of this environment."""
    for distribution in RUNTIME_CLIENT:
        for entry in files(distribution) or []:
            if ".." not in entry.parts and "__pycache__" not in entry.parts:
                target = folder / entry
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(entry.locate()), target)


class Function:
    """A function that the emulator runs on that port."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return the function's result, or its error (``errorType``, ``errorMessage``)."""
        request = urllib.request.Request(self._url, json.dumps(event).encode())  # noqa: S310 - this machine, http
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return json.loads(response.read())
        except urllib.error.HTTPError as error:  # a 502: the function itself failed
            return json.loads(error.read())


@contextmanager
def emulated(
    artifact: Path, client: Path, handler: str, environment: Mapping[str, str], log: Path
) -> Iterator[Function]:
    """Run the handler from the artifact. Its output goes to the log file."""
    assert EMULATOR.exists(), "the SAM CLI is not installed: run `make install`"
    port, runtime_port = _free_port(), _free_port()
    command = [
        str(EMULATOR),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
        *(sys.executable, "-S", "-m", "awslambdaric", handler),
    ]
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{artifact}{os.pathsep}{client}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(artifact),
        **environment,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=artifact, env=variables, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            _wait_for(port, process, log)
            yield Function(port)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)
    raise AssertionError(f"the emulator did not start: {log.read_text()}")
