"""Compiles Python files so that no cold start has to.

A function's folder is read-only, so what is not compiled beforehand is compiled at every cold start. ``unchecked-hash``
spares the interpreter a look at each source file, whose time stamp the zip does not keep anyway.
"""

import os
import subprocess
import sys
from pathlib import Path

TASK_ROOT = "/var/task"
"""Where Lambda puts the artifact. A compiled file that says so already needs no correction when it is imported."""


def compile_tree(folder: Path, artifact: Path) -> None:
    """Compiles every file under the folder, which lies in the artifact's root or is it.

    In a process of its own, with a fixed hash seed and one worker: what a compiler writes depends on what its process
    has done before, and the same sources are to give the same bytes.
    """
    options = f"-q -f -j 1 --invalidation-mode unchecked-hash -p {TASK_ROOT} -s".split()
    subprocess.run(  # noqa: S603 - fixed arguments and two paths
        [sys.executable, "-m", "compileall", *options, str(artifact), str(folder)],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        check=True,
        stdin=subprocess.DEVNULL,
    )
