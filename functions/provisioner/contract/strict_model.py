"""The base of every model that this service sends or receives."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys. It is built at its first use: most models are only parts of others."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
