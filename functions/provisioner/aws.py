"""AWS's clients, as every function makes them."""

from collections.abc import Callable
from typing import Any

from botocore.config import Config
from botocore.session import Session

from provisioner import __version__

MAX_CONCURRENT_TENANTS = 10  # as many as a batch has records: each tenant's records may go their way side by side

# A call to AWS takes milliseconds. These bounds leave time to do without it, and to try it again.
AWS_CONFIG = Config(
    user_agent=f"close-provisioner/{__version__}",
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=MAX_CONCURRENT_TENANTS,
)


def make_clients() -> Callable[[str], Any]:
    """Makes clients as boto3 does, from its core: boto3 itself would import S3's transfers at every cold start."""
    session = Session()
    return lambda name: session.create_client(name, config=AWS_CONFIG)
