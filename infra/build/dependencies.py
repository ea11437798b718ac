"""Installs the locked requirements for the Lambda runtime, on whatever machine this is.

uv does it where there is one (the project's own, or the PATH's), else the pip of this Python. Both take wheels
only, and only those whose hash is in the requirements.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ARCHITECTURES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's name of each architecture, and the one that wheels use."""

OWN_UV = Path(__file__).resolve().parents[2] / ".tools" / "uv" / "bin" / "uv"


class CannotInstall(RuntimeError):
    """Nothing was installed that could be used; the text says why."""


def install(requirements: Path, architecture: str, target: Path) -> None:
    """Installs into the target folder. Raises ``CannotInstall``."""
    command = installer(ARCHITECTURES[architecture])
    done = subprocess.run(  # noqa: S603 - the command is built here, from nothing a stranger wrote
        [*command, "--target", str(target), "--require-hashes", "--requirement", str(requirements)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotInstall(f"{command[0]} could not install {requirements.name}:\n{done.stdout}")


def installer(machine: str) -> list[str]:
    """The command, up to where it takes a target and the requirements."""
    wheels = ["--python-version", "3.13", "--only-binary", ":all:"]
    uv = str(OWN_UV) if OWN_UV.exists() else shutil.which("uv")
    if uv:
        # Copies, since files are rewritten afterwards, and a hard link would reach into uv's cache.
        quiet = ["pip", "install", "--quiet", "--no-progress", "--link-mode", "copy"]
        return [uv, *quiet, "--python", sys.executable, "--python-platform", f"{machine}-manylinux2014", *wheels]
    if importlib.util.find_spec("pip"):
        quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        platforms = (
            f"--implementation cp --platform manylinux2014_{machine} --platform manylinux_2_17_{machine}".split()
        )
        return [sys.executable, *quiet, *platforms, *wheels]
    raise CannotInstall(f"there is no uv, and {sys.executable} has no pip: run `make install` first")
