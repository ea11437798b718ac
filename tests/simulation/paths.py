"""The preparation before the service is imported: where it is, and the variables that Powertools reads only then."""

import os
import sys
from pathlib import Path

FUNCTIONS = str(Path(__file__).parents[2] / "functions")

if FUNCTIONS not in sys.path:
    sys.path.insert(0, FUNCTIONS)
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "close-provisioner")
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "CloseProvisioner")
