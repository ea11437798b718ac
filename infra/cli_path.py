"""Importing this puts ``cli/`` of this folder on the path, before an installed copy of the command line."""

import sys
from pathlib import Path

CLI = str(Path(__file__).resolve().parents[1] / "cli")

if CLI not in sys.path:
    sys.path.insert(0, CLI)
