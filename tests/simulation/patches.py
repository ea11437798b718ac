"""Puts the simulation under the service: where botocore and httpx would open a socket, and at reads of the clock.

Nothing of the service is replaced. A patch holds for the whole interpreter while it is entered: one
simulation at a time.
"""

import functools
import io
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout
from contextvars import copy_context
from typing import Any, Protocol
from unittest.mock import patch

import botocore.session
import httpx
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from botocore.retries.quota import RetryQuota

AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Output(io.StringIO):
    """The printed and logged output of the service."""


class Dependencies(Protocol):
    """The simulation's answers to patched calls."""

    @property
    def now(self) -> float:
        """Unix seconds."""

    def to_aws(self, request: AWSPreparedRequest) -> AWSResponse: ...

    def to_close(self, request: httpx.Request) -> httpx.Response: ...

    def read_clock(self, module: str, function: str) -> float: ...

    def sleep(self, seconds: float) -> None: ...


@contextmanager
def apply_patches(environment: Dependencies, output: Output, seed: str) -> Iterator[None]:
    """Run the code inside in this simulation; its prints and logs go to ``output``."""
    with ExitStack() as stack:
        for replaced in (
            patch.dict(os.environ, AWS_ENVIRONMENT),
            patch.object(URLLib3Session, "send", lambda _, request: environment.to_aws(request)),
            patch.object(httpx.HTTPTransport, "handle_request", lambda _, request: environment.to_close(request)),
            patch.object(botocore.session.Session, "create_client", _client),
            patch.object(time, "time", _clock(environment)),
            patch.object(time, "monotonic", _clock(environment)),
            patch.object(time, "sleep", environment.sleep),
            patch.object(ThreadPoolExecutor, "submit", _submit),
            redirect_stdout(output),
            _logs_to(output),
        ):
            stack.enter_context(replaced)
        state = random.getstate()
        stack.callback(random.setstate, state)
        random.seed(seed)
        for quota in _quotas:
            quota.release(RetryQuota.INITIAL_CAPACITY)
        yield


def _clock(environment: Dependencies) -> Callable[[], float]:
    def read() -> float:
        caller = sys._getframe(1)
        return environment.read_clock(caller.f_globals.get("__name__", "?"), caller.f_code.co_name)

    return read


_submitted = ThreadPoolExecutor.submit


def _submit(pool: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **named: Any) -> "Future[Any]":
    """A thread that is handed work belongs to the process that hands it over."""
    return _submitted(pool, copy_context().run, work, *args, **named)


_create_client = botocore.session.Session.create_client
_clients: dict[tuple[Any, ...], Any] = {}
_quotas: list[RetryQuota] = []
_make_quota = RetryQuota.__init__


def _client(self: botocore.session.Session, service_name: str, *args: Any, **options: Any) -> Any:
    """A client is built once: it holds no state but the quota of its retries, which is filled up for each case."""
    config = options.get("config")
    key = (service_name, args, options.get("endpoint_url"), id(config) if config else None)
    if key not in _clients:

        @functools.wraps(_make_quota)
        def remember(quota: RetryQuota, *given: Any, **named: Any) -> None:
            _make_quota(quota, *given, **named)
            _quotas.append(quota)

        with patch.object(RetryQuota, "__init__", remember):
            _clients[key] = _create_client(self, service_name, *args, **options), config
    return _clients[key][0]


@contextmanager
def _logs_to(output: Output) -> Iterator[None]:
    """Loggers keep the standard output of the time when they were made, in this world or in an earlier one."""
    loggers = [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    handlers = [
        handler
        for logger in loggers
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
        and (handler.stream in {sys.stdout, sys.__stdout__} or isinstance(handler.stream, Output))
    ]
    before = [handler.setStream(output) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            handler.setStream(stream)
