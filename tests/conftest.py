"""The functions' environment for every test."""

import os

# Set here and not in a fixture: provisioner.telemetry reads it at import.
os.environ["POWERTOOLS_SERVICE_NAME"] = "close-provisioner"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "CloseProvisioner"
os.environ["POWERTOOLS_DISABLE_TRACING"] = "1"
