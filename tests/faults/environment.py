"""What the functions find in their environment before they are imported: Powertools reads it only then."""

import os

os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "close-provisioner")
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "CloseProvisioner")
