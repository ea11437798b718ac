"""Rules for alarms on queries, whose grammar CloudFormation does not check before the alarm is made."""

import re
from collections.abc import Iterator
from typing import Any

from infra.checks.aws.stack import Stack

LABEL = r'"[^"]+"'
NAME = r"[A-Za-z]\w*"
FUNCTION = "(?:AVG|COUNT|MAX|MIN|SUM)"
CONDITION = rf"{LABEL} (?:=|!=) '[^']*'"
CLAUSES = (
    rf"SELECT {FUNCTION}\({NAME}\)",
    rf" FROM (?:{LABEL}|SCHEMA\({LABEL}(?P<schema>(?:, {LABEL})*)\))",
    rf"(?: WHERE {CONDITION}(?: AND {CONDITION})*)?",
    rf"(?: GROUP BY (?P<groups>{LABEL}(?:, {LABEL})*))?",
    rf"(?: ORDER BY {FUNCTION}\(\) (?:ASC|DESC))?",
    r"(?: LIMIT \d+)?",
)
QUERY = re.compile("".join(CLAUSES))
"""The part of the grammar that we use. Labels are quoted always: the list of reserved words is long."""

LONGEST_SECONDS = 3 * 3600
PERIODS = {10, 20, 30}


def queries_follow_the_grammar(stack: Stack) -> Iterator[str]:
    """CloudWatch User Guide, "Query components and syntax in CloudWatch Metrics Insights", and "Limits" of alarms.

    A query sees three hours of data. Each time series of GROUP BY is a contributor to the alarm.
    """
    for name, alarm in _alarms(stack).items():
        queries = [each for each in alarm.get("Metrics", []) if str(each.get("Expression", "")).startswith("SELECT")]
        for query in queries:
            yield from (f"{name}: {fault}" for fault in _faults(query, alarm))
        if len([each for each in alarm.get("Metrics", []) if each.get("ReturnData", True)]) > 1:
            yield f"{name}: more than one metric returns data"


def _faults(query: dict[str, Any], alarm: dict[str, Any]) -> Iterator[str]:
    found = QUERY.fullmatch(query["Expression"])
    if found is None:
        yield f"not a query that CloudWatch takes: {query['Expression']}"
        return
    grouped = set(re.findall(LABEL, found["groups"] or ""))
    if found["schema"] and not grouped <= set(re.findall(LABEL, found["schema"])):
        yield f"groups by a label that is not in its schema: {query['Expression']}"
    if int(query["Period"]) * int(alarm["EvaluationPeriods"]) > LONGEST_SECONDS:
        yield "looks at more than the three hours of data that a query may cover"


def every_alarm_says_what_missing_data_means(stack: Stack) -> Iterator[str]:
    """CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data".

    By default an alarm without data is INSUFFICIENT_DATA, and stays in ALARM after its last data point.
    """
    for name, alarm in _alarms(stack).items():
        if "TreatMissingData" not in alarm:
            yield f"{name} does not say what missing data means (TreatMissingData)"
        period = int(alarm.get("Period") or alarm["Metrics"][0]["Period"])
        if period not in PERIODS and period % 60:
            yield f"{name}: its period of {period} s is not a multiple of 60"


def _alarms(stack: Stack) -> dict[str, dict[str, Any]]:
    resources = stack.monitoring["Resources"].items()
    return {name: each["Properties"] for name, each in resources if each["Type"] == "AWS::CloudWatch::Alarm"}
