"""The JSON Schemas of the contract's models, and the components that the API descriptions share."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from provisioner.contract.errors import Problem
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import CustomObjectTypeSpec, FieldSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

REQUEST_MODELS = {each.__name__ for each in (ProvisioningRequest, CustomObjectTypeSpec, FieldSpec)}

type Document = dict[str, Any]


def schema(model: type[BaseModel]) -> Document:
    """Return the model's own JSON Schema."""
    document = model.model_json_schema()
    for each in (document, *document.get("$defs", {}).values()):
        _allow_null(each)
    return {"$schema": DIALECT, **document}


def components() -> Document:
    """Return the schemas of all models, under the names of the models."""
    models: list[tuple[type[BaseModel], Any]] = [
        (ProvisioningRequest, "validation"),
        (Outcome, "serialization"),
        (Problem, "serialization"),
    ]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
    schemas: Document = definitions["$defs"]
    for each in schemas.values():
        _allow_null(each)
    return schemas


def _allow_null(model: Document) -> None:
    """Allow null for every optional key of a request, where it means left out."""
    if model.get("title") not in REQUEST_MODELS:
        return
    for name, key in model["properties"].items():
        if name not in model["required"] and {"type": "null"} not in key.get("anyOf", ()):
            about = {each: key.pop(each) for each in ("default", "title") if each in key}
            model["properties"][name] = {"anyOf": [key, {"type": "null"}], **about}


def ref(name: str) -> Document:
    """Return a reference to one of the components."""
    return {"$ref": f"#/components/schemas/{name}"}
