"""Logs and metrics through Powertools: JSON log lines, and metrics in the embedded metric format on standard output.

Each run of a request writes one log line with all its facts. No line may contain a credential, a body or the name of a
secret.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

# At lower levels, the SDKs log whole responses, credentials included. The service's own logger has its own level.
logging.getLogger().setLevel(logging.WARNING)

logger = Logger(use_rfc3339=True)  # Lambda reads the level only of lines with such a timestamp
metrics = Metrics()


def measure(name: str, seconds: Iterable[float]) -> None:
    """Add times to the line that ``count`` emits next."""
    for each in seconds:
        metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=each)


def count(names: Iterable[str], **dimensions: str) -> None:
    """Emit how often each name occurs. Call it once for each invocation."""
    emit(Counter(names), **dimensions)


def emit(counts: Mapping[str, int], **dimensions: str) -> None:
    """Emit the counts, zeros included: an alarm needs them to end."""
    for dimension, text in dimensions.items():
        metrics.add_dimension(name=dimension, value=text)
    for name, value in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    if counts:
        metrics.flush_metrics()
