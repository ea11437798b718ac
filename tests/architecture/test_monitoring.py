"""Alarms watch metrics that the code counts."""

import json
import re
from typing import Any

import yaml

from infra.checks.cloudformation import Template
from provisioner.handlers.webhooks import COUNTED_AS
from tests.architecture.cloudformation_source import read_source
from tests.architecture.conftest import PROJECT


def alarms() -> dict[str, dict[str, Any]]:
    source = read_source(PROJECT / "infra" / "monitoring.yaml")
    resources = source["Resources"].items()
    return {name: each["Properties"] for name, each in resources if each["Type"] == "AWS::CloudWatch::Alarm"}


def test_invalid_signatures_are_watched_for_each_source() -> None:
    """The query covers all sources, so that an added source has its alarm at once."""
    metrics = {name: metric for name, alarm in alarms().items() for metric in alarm.get("Metrics", [])}
    quoted = r'FROM SCHEMA\("CloseProvisioner", "service", "source"\) WHERE "service" = \S+ GROUP BY "source"$'
    counted = r"^SELECT SUM\((\w+)\) "  # "source" is a reserved word of these queries
    watched = {name: re.findall(counted + quoted, metric["Expression"]) for name, metric in metrics.items()}
    unknown = metrics.pop("UnknownSource")
    del watched["UnknownSource"]
    assert watched == {
        "InvalidSignature": ["InvalidSignature"],
        "EventsRejected": ["EventsRejected"],
        "UnusableSecret": ["SecretEntryUnusable"],
    }
    assert (
        unknown["Expression"] == """SELECT SUM(SourceNotFound) FROM "CloseProvisioner" WHERE "service" = '${Prefix}'"""
    )
    assert "SourceNotFound" in COUNTED_AS.values()
    handler = (PROJECT / "functions" / "provisioner" / "handlers" / "webhooks.py").read_text()
    assert "InvalidSignature" in COUNTED_AS.values()
    assert '_count("EventsRejected", source)' in handler
    assert 'count(["SecretEntryUnusable"], source=source)' in handler


def test_every_handler_and_dead_letter_queue_has_an_alarm(template: Template) -> None:
    given = template.properties("Monitoring")["Parameters"]
    watched = {str(alarm.get("Dimensions")) for alarm in alarms().values()}
    names = [name for name in given if name.endswith(("FunctionName", "DeadLetterQueueName"))]
    assert len(names) == 8
    assert [name for name in names if not any(name in each for each in watched)] == []


def test_hole_9_throttled_callers_are_counted_from_the_access_log(template: Template) -> None:
    source = read_source(PROJECT / "infra" / "monitoring.yaml")
    counted = source["Resources"]["ThrottledRequests"]["Properties"]
    assert counted["FilterPattern"] == '{ $.status = "429" }'
    logged = yaml.safe_load(template.properties("ApiliveStage")["AccessLogSetting"]["Format"])
    assert logged["status"] == "$context.status"
    [metric] = counted["MetricTransformations"]
    alarm = alarms()["Throttled"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (metric["MetricNamespace"], metric["MetricName"])
    assert template.properties("Monitoring")["Parameters"]["AccessLogGroupName"] == {"Ref": "AccessLogs"}


def test_the_dashboard_shows_metrics_that_exist() -> None:
    source = read_source(PROJECT / "infra" / "monitoring.yaml")
    body = json.loads(source["Resources"]["Dashboard"]["Properties"]["DashboardBody"])
    assert set(re.findall(r"\$\{(\w+)\}", json.dumps(body))) <= set(source["Parameters"])
    shown = {metric[1] for each in body["widgets"] for metric in each["properties"].get("metrics", [])}
    documented = (PROJECT / "docs" / "reference" / "metrics-and-alarms.md").read_text(encoding="utf-8")
    of_ours = {name for each in body["widgets"] for name in _ours(each)}
    assert len(of_ours) == 7 + 1 + 5
    assert [name for name in of_ours if f"`{name}`" not in documented] == []
    assert {"ApproximateAgeOfOldestMessage", "ConsumedWriteCapacityUnits", "Duration"} <= shown
    percentiles = {
        metric[-1]["stat"]
        for each in body["widgets"]
        for metric in each["properties"].get("metrics", [])
        if metric[1] == "TimeToOutcome"
    }
    assert percentiles == {"p50", "p90", "p99"}


def _ours(widget: dict[str, Any]) -> set[str]:
    return {metric[1] for metric in widget["properties"].get("metrics", []) if metric[0] == "CloseProvisioner"}


def test_hole_10_the_backlog_of_the_sweeper_is_watched() -> None:
    backlog = alarms()["SweeperBacklog"]
    assert (backlog["MetricName"], backlog["EvaluationPeriods"], backlog["Threshold"]) == ("Backlog", 3, 0)
    assert 'counts["Backlog"]' in (PROJECT / "functions" / "provisioner" / "handlers" / "sweeper.py").read_text()
