"""The base of every model that this service sends or receives."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A frozen model that rejects unknown keys. It is built at its first use, which saves time at a cold start."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
