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
    uv = str(OWN_UV) if OWN_UV.exists() else shutil.which("uv")
    if uv:
        # Copies, since files are rewritten afterwards, and a hard link would reach into uv's cache.
        return [
            uv,
            "pip",
            "install",
            "--quiet",
            "--no-progress",
            "--link-mode",
            "copy",
            "--python",
            sys.executable,
            "--python-version",
            "3.13",
            "--python-platform",
            f"{machine}-manylinux2014",
            "--only-binary",
            ":all:",
        ]
    if importlib.util.find_spec("pip"):
        return [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
            "--implementation",
            "cp",
            "--python-version",
            "3.13",
            "--only-binary",
            ":all:",
            "--platform",
            f"manylinux2014_{machine}",
            "--platform",
            f"manylinux_2_17_{machine}",
        ]
    raise CannotInstall(f"there is no uv, and {sys.executable} has no pip: run `make install` first")
