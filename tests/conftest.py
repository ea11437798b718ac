"""The functions' environment for every test, and Hypothesis without limits of time."""

import os

from hypothesis import settings

# Set here and not in a fixture: provisioner.telemetry reads it at import.
os.environ["POWERTOOLS_SERVICE_NAME"] = "close-provisioner"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "CloseProvisioner"
os.environ["POWERTOOLS_DISABLE_TRACING"] = "1"

settings.register_profile("untimed", deadline=None)  # on a busy machine, any example takes long
settings.load_profile("untimed")
