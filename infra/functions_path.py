"""Importing this puts ``functions/`` on the path, for tools that are run from the project's folder."""

import sys
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parents[1] / "functions"

if str(FUNCTIONS) not in sys.path:
    sys.path.append(str(FUNCTIONS))
