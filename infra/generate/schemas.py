"""The JSON Schemas of the contract's models, and the components that the API descriptions share."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from provisioner.contract.errors import Problem
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest

DIALECT = "https://json-schema.org/draft/2020-12/schema"

type Document = dict[str, Any]


def schema(model: type[BaseModel]) -> Document:
    """Return the model's own JSON Schema."""
    return {"$schema": DIALECT, **model.model_json_schema()}


def components() -> Document:
    """Return the schemas of all models, under the names of the models."""
    models: list[tuple[type[BaseModel], Any]] = [
        (ProvisioningRequest, "validation"),
        (Outcome, "serialization"),
        (Problem, "serialization"),
    ]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
    schemas: Document = definitions["$defs"]
    return schemas


def ref(name: str) -> Document:
    """Return a reference to one of the components."""
    return {"$ref": f"#/components/schemas/{name}"}
