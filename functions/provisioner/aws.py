"""The clients of AWS services, the same in every function."""

from collections.abc import Callable
from typing import Any

from botocore.config import Config
from botocore.session import Session

from provisioner import __version__

MAX_CONCURRENT_TENANTS = 10  # a batch holds ten records, and the tenants in it are processed in parallel

# A call to AWS takes milliseconds. These limits leave time to repeat it, or to continue without it.
AWS_CONFIG = Config(
    user_agent=f"close-provisioner/{__version__}",
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=MAX_CONCURRENT_TENANTS,
)


def make_clients() -> Callable[[str], Any]:
    """Return a factory of clients. It uses botocore, because boto3 also imports S3 transfers at every cold start."""
    session = Session()
    return lambda name: session.create_client(name, config=AWS_CONFIG)
