"""Logs and metrics, by Powertools: JSON log lines, and metrics in the embedded metric format on standard output.

One wide log line for each attempt at a request. No line may hold a credential, a body or a secret's name.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

# What the SDKs log at lower levels holds whole answers, credentials among them. Our own logger has its own level.
logging.getLogger().setLevel(logging.WARNING)

logger = Logger(use_rfc3339=True)  # the form of time that Lambda reads a line's level by
metrics = Metrics()


def count(names: Iterable[str], **dimensions: str) -> None:
    """Hand to CloudWatch how often each name occurs. Call it once for each invocation."""
    record(Counter(names), **dimensions)


def record(counts: Mapping[str, int], **dimensions: str) -> None:
    """Hand the counts to CloudWatch, zeros too: an alarm needs them to end."""
    for dimension, text in dimensions.items():
        metrics.add_dimension(name=dimension, value=text)
    for name, value in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    if counts:
        metrics.flush_metrics()
