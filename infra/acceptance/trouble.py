"""The scenarios of acceptance in which something breaks: a response, a function, Close's patience."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from infra.acceptance.local_processes import LocalProcesses
from infra.acceptance.stage import Party, Skipped, Stage

COLD = 4
"""Requests at the same time: more than an idle stack has environments for."""


def lost(stage: Stage) -> str:
    party, asked = _armed(stage, "create_then_hang_up")
    stage.send(asked)
    return f"{stage.result(asked)}, {stage.created(party)}"


def held(stage: Stage) -> str:
    """The caller learns that its request continues."""
    party, asked = _armed(stage, "create_then_never_answer")
    status = stage.post(asked).status_code
    stage.send(asked)  # a second message does not wait for the delay of the first
    return f"{status}, {stage.result(asked)}, {stage.created(party)}"


def throttled(stage: Stage) -> str:
    party, asked = _armed(stage, "429", reset=1.5)
    stage.send(asked)
    outcome = stage.outcome(asked["tenant"], asked["request_id"]).data
    statuses = [str(each["status"]) for each in stage.target.close.requests(party.organization, "POST")]
    return f"{outcome['result']} after {', '.join(statuses)}; attempts: {outcome['attempts']}"


def killed(stage: Stage) -> str:
    """The function is killed after it stored the request. Its caller sends the request again, as documented."""
    processes = _processes(stage)
    party = stage.party()
    asked = party.asks()
    aim = {"organization": party.organization, "method": "GET", "path": "me/"}
    stage.target.close.arm("never_answer", aim=aim)
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(_status, stage, asked)
        stage.eventually(lambda: stage.target.close.fired(party.organization), "the call to Close")
        if not processes.kill(stage.target.outputs["ApiFunctionName"]):
            return "nothing to kill"
        first = waiting.result()
    stage.interrupted.append((party, asked))
    return f"{first}, then {stage.post(asked).status_code}"


def continued(stage: Stage) -> str:
    """The worker carries out what a killed function had begun."""
    _processes(stage)
    [(party, asked)] = stage.interrupted
    return f"{stage.result(asked)}, {stage.created(party)}"


def _processes(stage: Stage) -> LocalProcesses:
    if stage.target.processes is None:
        raise Skipped("not possible here: Lambda's processes are out of reach")
    return stage.target.processes


def _status(stage: Stage, asked: Mapping[str, Any]) -> str:
    try:
        status = stage.post(asked).status_code
    except httpx.TransportError:
        return "5xx"
    return "5xx" if status >= 500 else str(status)


def cold(stage: Stage) -> str:
    """Several requests at the same time need more environments than are warm: each is answered in time."""
    requests = [stage.party().asks() for _ in range(COLD)]
    with ThreadPoolExecutor(COLD) as callers:
        statuses = {answer.status_code for answer in callers.map(stage.post, requests)}
    lines = [_settled(stage, each["request_id"]) for each in requests]
    if not any(each["cold_start"] for each in lines):
        raise Skipped("every environment was warm: try again on an idle stack")
    return f"{', '.join(map(str, statuses))} for each, one was cold"


def _settled(stage: Stage, request_id: str) -> dict[str, Any]:
    [line, *_] = stage.eventually(lambda: stage.log("api", request_id), "the line of a request in the api's log")
    return line


def _armed(stage: Stage, fault: str, **parameters: Any) -> tuple[Party, dict[str, Any]]:
    """Return a party and its request: the fault is armed for the create."""
    party = stage.party()
    stage.target.close.arm(fault, aim={"organization": party.organization}, **parameters)
    return party, party.asks()
