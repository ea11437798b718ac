"""Before anything imports the service."""

import tests.faults.environment  # noqa: F401
