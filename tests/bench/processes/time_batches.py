"""``python time_batches.py <folder> <module> <file>``: the times of a batch of one and of a batch of ten, as JSON.

Close is wherever CLOSE_API_URL says, and AWS stubbed. Each record is a tenant's own, and creates a type. Writes the
best of several runs, in seconds, after one that opens the connections.
"""

import json
import sys
import time
from itertools import count
from pathlib import Path

folder, module, _, file = sys.argv[1:]
here = sys.path[0]
sys.path[:] = [folder, *(path for path in sys.path[1:] if not path.endswith("site-packages")), here]

import events  # type: ignore[import-not-found]  # noqa: E402
import stubbed_world  # type: ignore[import-not-found]  # noqa: E402

stubbed_world.stub_aws()
handler = __import__(module, fromlist=["lambda_handler"])
numbers = count()


def seconds(records: int) -> float:
    bodies = [events.body(f"request-{next(numbers)}", f"tenant-{tenant}") for tenant in range(records)]
    event = events.sqs_event(bodies)
    begin = time.perf_counter()
    answer = handler.lambda_handler(event, events.Context)
    elapsed = time.perf_counter() - begin
    if answer["batchItemFailures"]:
        sys.exit(f"{module} failed: {answer}")
    return elapsed


seconds(10)
best = {"one": min(seconds(1) for _ in range(3)), "ten": min(seconds(10) for _ in range(3))}
Path(file).write_text(json.dumps(best), encoding="utf-8")
