"""``python handler.py <folder> <module> <function> <requests>``: start as Lambda does, then serve that many requests.

The folder (the artifact) is all that can be imported besides the standard library. No request at all means: import the
handler's module, and put all parts together.
"""

import os
import sys

SNAP_START = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
CONNECTS = "BENCH_CONNECTS" in os.environ  # to a server that answers as the stubs do
if SNAP_START:
    import snapshot_restore_py  # type: ignore[import-untyped]  # of Lambda's runtime, not of the artifact

folder, module, function, requests = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
here = sys.path[0]
sys.path[:] = [folder, *(path for path in sys.path[1:] if not path.endswith("site-packages"))]

handler = __import__(module, fromlist=["lambda_handler"])

if requests == 0 and not SNAP_START:
    assemble = getattr(handler, "_service", None)  # a handler that is put together at import has none
    if assemble:
        assemble()
else:
    sys.path.append(here)
    import events  # type: ignore[import-not-found]
    import stubbed_world  # type: ignore[import-not-found]

    if not CONNECTS:
        stubbed_world.stub_aws()
    if not CONNECTS and "httpx" in sys.modules:  # the webhook handler imports no client of Close
        stubbed_world.stub_close()
    if SNAP_START:
        for run, arguments, named in snapshot_restore_py.get_before_snapshot():
            run(*arguments, **named)
        for run, arguments, named in snapshot_restore_py.get_after_restore() if requests else ():
            run(*arguments, **named)
    for number in range(requests):
        answer = handler.lambda_handler(events.event(function, f"request-{number}"), events.Context)
        if answer.get("batchItemFailures") or answer.get("statusCode", 201) not in {201, 202}:
            sys.exit(f"{module} failed: {answer}")
