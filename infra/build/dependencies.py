"""Installs the locked requirements for the Lambda runtime, on any machine.

It uses the project's own uv, or the uv on the PATH, or the pip of this Python. They install only wheels whose hash is
in the requirements.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ARCHITECTURES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's name of each architecture, and the one that wheels use."""

OWN_UV = Path(__file__).resolve().parents[2] / ".tools" / "uv" / "bin" / "uv"


class InstallError(RuntimeError):
    """The dependencies could not be installed. The message has the reason."""


def install(requirements: Path, architecture: str, target: Path) -> None:
    """Install into the target folder. Raises ``InstallError``."""
    command = installer(ARCHITECTURES[architecture])
    done = subprocess.run(  # noqa: S603 - fixed arguments and paths of this project
        [*command, "--target", str(target), "--require-hashes", "--requirement", str(requirements)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise InstallError(f"{command[0]} could not install {requirements.name}:\n{done.stdout}")


def installer(machine: str) -> list[str]:
    """Return the command without the target and the requirements. Raises ``InstallError``."""
    wheels = ["--python-version", "3.13", "--only-binary", ":all:"]
    uv = str(OWN_UV) if OWN_UV.exists() else shutil.which("uv")
    if uv:
        # Copies, not hard links: the files are changed afterwards, and uv's cache must not be.
        quiet = ["pip", "install", "--quiet", "--no-progress", "--link-mode", "copy"]
        return [uv, *quiet, "--python", sys.executable, "--python-platform", f"{machine}-manylinux2014", *wheels]
    if importlib.util.find_spec("pip"):
        quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        platforms = (
            f"--implementation cp --platform manylinux2014_{machine} --platform manylinux_2_17_{machine}".split()
        )
        return [sys.executable, *quiet, *platforms, *wheels]
    raise InstallError(f"uv was not found, and {sys.executable} has no pip. Run `make install` first.")
