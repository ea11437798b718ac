"""Metrics as CloudWatch extracts them from a log line: the embedded metric format, and the limits of our own.

CloudWatch User Guide, "Specification: Embedded metric format" and "CloudWatch quotas". A line that breaks a rule of it
is kept as a log line, and its metrics are lost without a word.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.strict_aws.call import model_of

MAX_METRICS, MAX_VALUES, MAX_DIMENSIONS = 100, 100, 30
MAX_LINE = 1_048_576
MAX_DIMENSION_VALUE = 1024
MAX_NAME = 1024
DIMENSIONS = {("service",), ("service", "source")}
"""Those of docs/reference/metrics-and-alarms.md: each set of them is a metric of its own, with a price of its own."""


def emf_faults_of(output: str) -> list[str]:
    """Return the faults of all lines that a function printed."""
    return [fault for line in output.splitlines() for fault in emf_faults(line)]


def emf_faults(line: str) -> Iterator[str]:
    """Yield what is wrong with a line that has metrics; nothing for any other line."""
    if '"_aws"' not in line:
        return
    try:
        document = json.loads(line)
    except ValueError:
        yield "the line is not JSON"
        return
    if len(line.encode()) > MAX_LINE:
        yield f"the line has more than {MAX_LINE} bytes"
    about = document["_aws"]
    if not isinstance(about.get("Timestamp"), int) or about["Timestamp"] < 1_000_000_000_000:
        yield f"the timestamp is not in milliseconds: {about.get('Timestamp')}"
    if not about.get("CloudWatchMetrics"):
        yield "the line describes no metric"
    for directive in about.get("CloudWatchMetrics", []):
        yield from _directive_faults(document, directive)


def _directive_faults(document: Mapping[str, Any], directive: Mapping[str, Any]) -> Iterator[str]:
    if not 1 <= len(str(directive.get("Namespace", ""))) <= MAX_NAME:
        yield f"the namespace is {directive.get('Namespace')!r}"
    for names in directive["Dimensions"]:
        if len(names) > MAX_DIMENSIONS or tuple(sorted(names)) not in DIMENSIONS:
            yield f"the dimensions are {names}"
        for name in names:
            value = document.get(name)
            if not isinstance(value, str) or not value.strip() or len(value) > MAX_DIMENSION_VALUE:
                yield f"the dimension {name} is {value!r}"
    if not 1 <= len(directive["Metrics"]) <= MAX_METRICS:
        yield f"{len(directive['Metrics'])} metrics are in one line"
    for metric in directive["Metrics"]:
        yield from _metric_faults(document, metric)


def _metric_faults(document: Mapping[str, Any], metric: Mapping[str, Any]) -> Iterator[str]:
    found = document.get(metric["Name"])
    values = found if isinstance(found, list) else [found]
    if not 1 <= len(values) <= MAX_VALUES:
        yield f"the metric {metric['Name']} has {len(values)} values"
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        yield f"the metric {metric['Name']} is {found!r}"
    if metric.get("Unit", "None") not in model_of("cloudwatch").shape_for("StandardUnit").enum:
        yield f"the metric {metric['Name']} is in {metric['Unit']!r}"
