"""Make a cold start cheap: without the garbage collector, which would find no garbage, and with precompiled code.

Every handler imports this module first (see the import sections in pyproject.toml), so both hold while the others are
imported. They end once the handler's dependencies are made.
"""

import gc
import os
from collections.abc import Callable
from functools import _lru_cache_wrapper, cache

from provisioner.precompiled import use_precompiled

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.disable()
_end_precompiled = use_precompiled()


def once[T](make: Callable[[], T]) -> "_lru_cache_wrapper[T]":
    """Make the handler's dependencies at its first invocation, and exempt all that exists then from collection."""

    @cache
    def made() -> T:
        try:
            return make()
        finally:
            _end_precompiled()
            gc.freeze()
            gc.enable()

    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from provisioner.handlers.snapshot import hold_in_snapshot  # noqa: PLC0415 - not read by other cold starts

        hold_in_snapshot(made)
    return made
