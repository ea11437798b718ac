"""The scenarios of acceptance that concern operation: dead-letter messages, alarms, logs, traces."""

import json
import time
from typing import Any

from infra.acceptance.stage import Skipped, Stage

FUNCTIONS = ("api", "webhooks", "worker")
LOGGED = {"tenant", "request_id", "id", "result", "attempts", "service", "function_request_id", "cold_start"}
"""The keys of the line of a settled request, by which the runbook searches."""


def dead_letter(stage: Stage) -> str:
    message_id = stage.send(f"no request of {stage.run}")
    result = stage.outcome("unknown", message_id).data["result"]
    found = stage.eventually(lambda: _found(stage, message_id), f"the dead-letter message {message_id}")
    return f"{result}, kept with {'a' if found['MessageAttributes']['reason']['StringValue'] else 'no'} reason"


def _found(stage: Stage, message_id: str) -> dict[str, Any] | None:
    """Take the message from the dead-letter queue. The others are visible again soon."""
    sqs, queue = stage.target.client("sqs"), stage.target.outputs["DeadLetterQueueUrl"]
    received = sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=1, MessageAttributeNames=["All"]
    )
    for found in received.get("Messages", []):
        if found.get("MessageAttributes", {}).get("message_id", {}).get("StringValue") == message_id:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"])
            return dict(found)
    return None


def redrive(stage: Stage) -> str:
    """A message as SQS gives it up after five failures: an operator finds it, and sends it again."""
    if "OperatorFunctionName" not in stage.target.outputs:
        raise Skipped("the stack has OperatorApi=off")
    asked = stage.party().asks()
    stage.target.client("sqs").send_message(
        QueueUrl=stage.target.outputs["DeadLetterQueueUrl"], MessageBody=json.dumps(asked)
    )
    message = stage.eventually(lambda: _listed(stage, asked["request_id"]), "the dead-letter message")
    stage.eventually(lambda: _redriven(stage, message["id"]), "the message's way back to the queue")
    return f"{message['cause']}, {stage.result(asked)}"


def _listed(stage: Stage, request_id: str) -> dict[str, Any] | None:
    messages = stage.target.http.call("GET", "/v1/dead-letters").json()["data"]
    return next((each for each in messages if each["request_id"] == request_id), None)


def _redriven(stage: Stage, message: str) -> bool:
    body = json.dumps({"ids": [message], "reason": stage.run}).encode()
    return message in stage.target.http.call("POST", "/v1/dead-letters/redrives", body).json()["done"]


def alarm(stage: Stage) -> str:
    """An alarm is set and reset. On AWS, its next evaluation corrects it."""
    cloudwatch, name = stage.target.client("cloudwatch"), f"{stage.target.name}-dead-letters"
    states = []
    for state in ("ALARM", "OK"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=f"{stage.run} sets it")
        [found] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        states.append(found["StateValue"])
    return ", ".join(states)


def logged(stage: Stage) -> str:
    """The worker's log has one line of the request, with the keys to search for it."""
    asked = stage.party().asks()
    stage.send(asked)
    stage.result(asked)
    lines = stage.eventually(lambda: stage.log("worker", asked["request_id"]), "the line of the request in the log")
    [settled] = [each for each in lines if each["message"] == "settled"]
    if lacking := LOGGED - settled.keys():
        return f"a line without {', '.join(sorted(lacking))}"
    return f"settled, {settled['result']}, attempts: {settled['attempts']}"


def silent(stage: Stage) -> str:
    """No credential of the run is in a log, in which its tenants are."""
    logs = {function: "\n".join(stage.log_lines(function)) for function in FUNCTIONS}
    if unread := [name for name, text in logs.items() if name != "webhooks" and stage.run not in text]:
        return f"no line of the run in the log of {', '.join(unread)}"
    found = [name for name, text in logs.items() if any(party.key in text for party in stage.parties)]
    return ", ".join(found) or "none"


def traced(stage: Stage) -> str:
    if stage.target.processes:
        raise Skipped("the emulator keeps no traces")
    stage.post(stage.party().asks())
    xray = stage.target.client("xray")
    expression = f'service("{stage.target.outputs["ApiFunctionName"]}")'

    def found() -> list[Any]:
        now = time.time()
        summaries = xray.get_trace_summaries(StartTime=stage.began, EndTime=now, FilterExpression=expression)
        traces: list[Any] = summaries["TraceSummaries"]
        return traces

    stage.eventually(found, "a trace of the api function")
    return "a trace"
