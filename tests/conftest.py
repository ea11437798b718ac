"""What holds for every test: the functions' environment, and no way out to the real AWS."""

import os

# Read when provisioner.telemetry is imported, hence here and not in a fixture.
os.environ["POWERTOOLS_SERVICE_NAME"] = "close-provisioner"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "CloseProvisioner"
os.environ["POWERTOOLS_DISABLE_TRACING"] = "1"
