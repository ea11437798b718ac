"""The baseline handler (tests/bench/baseline_handler.py) as the subject: what the tables compare with."""

import datetime as dt
import json
import os
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec, module_from_spec
from typing import Any
from unittest.mock import patch

from aws_lambda_powertools.utilities.idempotency.persistence import base, datarecord, dynamodb
from aws_lambda_powertools.utilities.parameters import base as parameters

from tests.simulation.system_under_test import ExecutionEnvironment, Items, TimeLeft, settings

MODULE = "tests.bench.baseline_handler"


class BaselineHandler:
    """The baseline handler, at the HTTP API and the queue. It gives no guarantees."""

    name = "baseline handler"
    modules: tuple[str, ...] = (MODULE, "aws_lambda_powertools")
    has_guarantees = False
    cannot = frozenset(
        {
            *("pinned", "fields create", "fields update", "different fields", "references"),
            *("webhook", "webhook before its tenant", "webhook without tenant", "event", "event of a partner"),
        }
    )

    def start(self) -> ExecutionEnvironment:
        return _BaselineEnvironment()

    def unfinished(self, items: Items) -> bool:
        return False

    def pauses(self, items: Items) -> Mapping[str, float]:
        return {}

    @contextmanager
    def patches(self, now: Callable[[], float]) -> Iterator[None]:
        """Its libraries ask ``datetime`` for the time, each by a name of its own."""
        simulated = types.SimpleNamespace(**{**vars(dt), "datetime": _simulated(now)})
        names = {name.upper(): str(value) for name, value in settings().model_dump().items()}
        with ExitStack() as stack:
            for module in (base, datarecord, dynamodb):
                stack.enter_context(patch.object(module, "dt", simulated))
            stack.enter_context(patch.object(parameters, "datetime", simulated.datetime))
            stack.enter_context(patch.dict(os.environ, names))
            stack.enter_context(warnings.catch_warnings(action="ignore"))  # it warns of metrics that it does not send
            yield


def _simulated(now: Callable[[], float]) -> type[dt.datetime]:
    class Simulated(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> "Simulated":
            return cls.fromtimestamp(now(), tz)

    return Simulated


class _BaselineEnvironment(ExecutionEnvironment):
    """A fresh import: all that it has, it has made then."""

    def __init__(self) -> None:
        spec = find_spec(MODULE)
        assert spec
        assert spec.loader
        self._module = module_from_spec(spec)
        spec.loader.exec_module(self._module)

    def api(self, event: Mapping[str, Any], time_left: TimeLeft) -> Mapping[str, Any]:
        response: Mapping[str, Any] = self._module.lambda_handler(event, _Context(time_left))
        return response

    def worker(self, records: Sequence[Mapping[str, Any]], time_left: TimeLeft) -> Mapping[str, Any]:
        event = json.loads(json.dumps({"Records": records}))
        response: Mapping[str, Any] = self._module.lambda_handler(event, _Context(time_left))
        return response

    def sweeper(self, time_left: TimeLeft) -> object:
        """It has none."""
        return None


class _Context:
    """The context that Lambda passes to a function."""

    function_name = "baseline"
    function_version = "1"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:baseline"
    aws_request_id = "request"

    def __init__(self, time_left: TimeLeft) -> None:
        self._time_left = time_left

    def get_remaining_time_in_millis(self) -> int:
        return int(self._time_left() * 1000)
