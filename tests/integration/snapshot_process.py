"""``python snapshot_process.py``: start the api as under SnapStart, then continue in two copies of the process.

Before the copies are made, a request fills every cache and opens every connection: more than a snapshot ever holds.
Write, as JSON, what each copy used.
"""

import json
import os
import random
import sys
import time

from awslambdaric.lambda_runtime_hooks_runner import (  # type: ignore[import-untyped]
    run_after_restore,
    run_before_snapshot,
)

from provisioner.handlers import api
from tests.bench.processes import events


def request(name: str) -> None:
    answer = api.lambda_handler(events.http_event(events.body(name)), events.Context)
    if answer["statusCode"] != 201:
        sys.exit(str(answer))


def continued(number: int) -> None:
    """Continue in a copy."""
    run_after_restore()
    request(f"copy-{number}")
    print(json.dumps({"copy": number, "random": random.random()}), flush=True)  # noqa: S311


run_before_snapshot()
request("before")
time.sleep(float(os.environ["HOURS_LATER"]))  # until the credentials of AWS are old
for number in (1, 2):
    if (child := os.fork()) == 0:
        continued(number)
        os._exit(0)
    os.waitpid(child, 0)
print(json.dumps({"copy": 0, "random": random.random()}))  # noqa: S311
