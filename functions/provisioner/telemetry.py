"""Logs and metrics, by Powertools: JSON log lines, and metrics in the embedded metric format on standard output.

One wide log line for each attempt at a request. No line may hold a credential, a body or a secret's name.
"""

from collections.abc import Iterable

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

logger = Logger()
metrics = Metrics()


def count(names: Iterable[str]) -> None:
    """Count each name once more, and hand all counts to CloudWatch. Call it once for each invocation."""
    counted = False
    for name in names:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
        counted = True
    if counted:
        metrics.flush_metrics()
