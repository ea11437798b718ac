"""Compiles Python files, so that no cold start has to.

The folder of a Lambda function is read-only: a file that is not compiled in advance is compiled at every cold start.
With ``unchecked-hash`` the interpreter does not read the source files, whose time stamps the zip would not keep.
"""

import os
import subprocess
import sys
from pathlib import Path

TASK_ROOT = "/var/task"
"""The folder of the artifact on Lambda. A compiled file with this path needs no correction when it is imported."""


def compile_tree(folder: Path, artifact: Path) -> None:
    """Compile every file under the folder, which is the root of the artifact or inside it.

    A process of its own with a fixed hash seed and one worker makes the same bytes from the same sources: the output of
    a compiler depends on what its process did before.
    """
    options = f"-q -f -j 1 --invalidation-mode unchecked-hash -p {TASK_ROOT} -s".split()
    subprocess.run(  # noqa: S603 - fixed arguments and two paths
        [sys.executable, "-m", "compileall", *options, str(artifact), str(folder)],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        check=True,
        stdin=subprocess.DEVNULL,
    )
