"""``python start_parts.py <folder> <module> <function> <stage>``: start as handler.py does, up to that stage of STAGES.

The libraries are imported in an order of their own before the handler, so that each stage adds what it alone needs.
"""

import sys
from importlib import import_module

folder, module, function, stage = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
here = sys.path[0]
sys.path[:] = [folder, *(path for path in sys.path[1:] if not path.endswith("site-packages"))]

STAGES: tuple[tuple[str, ...], ...] = (
    (),
    ("provisioner.handlers.cold_start",),
    ("botocore.session", "botocore.config", "botocore.endpoint", "botocore.httpsession"),
    ("pydantic",),
    ("aws_lambda_powertools.logging", "aws_lambda_powertools.metrics"),
    ("httpx",),
    (module,),
)
"""Modules to import. After these: make the handler's parts, and answer one request."""

for names in STAGES[: stage + 1]:
    for each in names:
        import_module(each)
handler = sys.modules.get(module)
if handler and stage >= len(STAGES):
    handler._service()
if handler and stage > len(STAGES):
    sys.path.append(here)
    import events  # type: ignore[import-not-found]
    import stubbed_world  # type: ignore[import-not-found]

    stubbed_world.stub_aws()
    stubbed_world.stub_close()
    answer = handler.lambda_handler(events.event(function, "request-0"), events.Context)
    if answer.get("statusCode") != 201:
        sys.exit(f"{module} failed: {answer}")
