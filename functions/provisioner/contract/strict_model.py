"""The base of every model that this service sends or receives."""

from functools import partial
from operator import is_
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

OMITTED_IF_NULL: Any = Field(default=None, exclude_if=partial(is_, None))
"""The default of an optional key that JSON omits in place of a null."""


class StrictModel(BaseModel):
    """A frozen model that rejects unknown keys. It is built at its first use, which saves time at a cold start."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
