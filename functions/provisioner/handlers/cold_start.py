"""Keep Python's garbage collector off during a cold start, where it finds no garbage and costs a fifth of the time.

Every handler imports this module first (see the import sections in pyproject.toml), so the collector is off while the
others are imported. It is on again once the handler's dependencies are made.
"""

import gc
import os
from collections.abc import Callable
from functools import _lru_cache_wrapper, cache

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.disable()


def once[T](make: Callable[[], T]) -> "_lru_cache_wrapper[T]":
    """Make the handler's dependencies at its first invocation, and exempt all that exists then from collection."""

    @cache
    def made() -> T:
        try:
            return make()
        finally:
            gc.freeze()
            gc.enable()

    return made
