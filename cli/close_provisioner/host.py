"""The machine and terminal on which a command runs, as one value, so that tests can replace each part."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import httpx


@dataclass(frozen=True, slots=True)
class Host:
    """Environment, folder, streams, clock and network. ``width``: columns of the terminal; None asks it."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    folder: Path = field(default_factory=Path.cwd)
    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    width: int | None = None
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    transport: httpx.BaseTransport | None = None
    """The network of HTTP requests; None is the real one."""
