"""Metrics in the embedded metric format, on standard output; the SDKs' logs stay shut."""

import json
import logging

import pytest

from provisioner import telemetry


def test_each_name_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.count(["Created", "Deferred", "Created"])

    [line] = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    [metrics] = document["_aws"]["CloudWatchMetrics"]
    assert metrics["Namespace"] == "CloseProvisioner"
    assert {each["Name"]: each["Unit"] for each in metrics["Metrics"]} == {"Created": "Count", "Deferred": "Count"}
    assert (document["Created"], document["Deferred"], document["service"]) == ([2.0], [1.0], "close-provisioner")


def test_nothing_to_count_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.count([])

    assert capsys.readouterr().out == ""


def test_one_invocations_counts_do_not_reach_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.count(["Created"])
    telemetry.count(["Failed"])

    assert ["Created" in json.loads(line) for line in capsys.readouterr().out.splitlines()] == [True, False]


def test_zeros_are_counted_where_an_alarm_needs_them(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.emit({"Unsettled": 0, "Unannounced": 2})

    document = json.loads(capsys.readouterr().out)
    assert (document["Unsettled"], document["Unannounced"]) == ([0.0], [2.0])


@pytest.mark.parametrize("name", ["botocore.parsers", "botocore.endpoint", "httpx", "httpcore.http11", "urllib3"])
def test_silent_the_sdks_do_not_log_what_they_send(name: str) -> None:
    assert not logging.getLogger(name).isEnabledFor(logging.INFO)


def test_what_is_counted_by_source_is_so_for_that_count_only(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.count(["InvalidSignature"], source="stripe")
    telemetry.count(["Created"])

    by_source, plain = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert set(by_source["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == {"service", "source"}
    assert (by_source["source"], by_source["InvalidSignature"]) == ("stripe", [1.0])
    assert plain["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_times_are_in_the_line_of_the_counts(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.measure("TimeToOutcome", [0.5, 12.0])
    telemetry.count(["Created", "Created"])

    [line] = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    [metrics] = document["_aws"]["CloudWatchMetrics"]
    assert {each["Name"]: each["Unit"] for each in metrics["Metrics"]} == {
        "TimeToOutcome": "Seconds",
        "Created": "Count",
    }
    assert (document["TimeToOutcome"], document["Created"]) == ([0.5, 12.0], [2.0])
