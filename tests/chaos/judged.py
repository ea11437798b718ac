"""The judge at the gate: what the deployed functions send to the local AWS, held to AWS's models, limits and roles."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import psutil

from infra.checks.translated import translated
from infra.local.emulator import ACCOUNT, REGION
from infra.local.stack_info import StackDescription
from tests.chaos.proxy import ProxiedCall
from tests.strict_aws.call import read_call
from tests.strict_aws.judge import Judge, judge_of


@dataclass(slots=True)
class JudgedCalls:
    """``handlers``: of functions, by name. ``judged``: calls of each handler. ``faults``: what AWS would refuse."""

    judge: Judge
    handlers: Mapping[str, str]
    judged: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    handler_of: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, description: StackDescription) -> Self:
        """Return a judge of this stack: it knows the real names of its resources."""
        functions = description.functions
        environment = {name: value for each in functions.values() for name, value in each.environment.items()}
        judge = judge_of(translated(), environment, ACCOUNT, REGION)
        return cls(judge, {each.name: handler for handler, each in functions.items()})

    def note(self, call: ProxiedCall, pid: int) -> None:
        """Judge a call to AWS by this process. One that has ended meanwhile is not judged."""
        if call.request.name.startswith("close."):
            return
        handler = self.handler_of.get(pid) or self._handler(pid)
        if handler:
            self.handler_of[pid] = handler
            self.judged[handler] += 1
            self.faults += self.judge.faults(handler, read_call(call.request.headers, call.request.body))

    def _handler(self, pid: int) -> str | None:
        try:
            return self.handlers[psutil.Process(pid).environ()["AWS_LAMBDA_FUNCTION_NAME"]]
        except psutil.Error:
            return None
