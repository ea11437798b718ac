"""One request of a function to AWS, read from its bytes with botocore's own service models."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import botocore.session
from botocore.model import OperationModel, ServiceModel

SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Call:
    """The operation and its parameters, as a client was given them."""

    service: str
    operation: str
    parameters: dict[str, Any]
    access_key: str = ""

    @property
    def model(self) -> OperationModel:
        return model_of(self.service).operation_model(self.operation)


@cache
def model_of(service: str) -> ServiceModel:
    """Return the whole model of the service, not the part that ships with the functions."""
    return ServiceModel(
        botocore.session.Session().get_component("data_loader").load_service_model(service, "service-2")
    )


def read_call(headers: Mapping[str, str], body: bytes) -> Call:
    """Read a request with these headers, their names in lower case."""
    scope = SCOPE.search(headers.get("authorization", ""))
    if scope is None:
        raise ValueError(f"a request without a signature: {sorted(headers)}")
    access_key, _, service = scope.groups()
    if "x-amz-target" in headers:
        operation = headers["x-amz-target"].rpartition(".")[2]
        return Call(service, operation, json.loads(body or b"{}"), access_key)
    form = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
    operation = form.pop("Action")
    form.pop("Version")
    shape = model_of(service).operation_model(operation).input_shape
    return Call(service, operation, _from_form(shape, form, ""), access_key)


def _from_form(shape: Any, form: Mapping[str, str], prefix: str) -> Any:
    """Return the value of the shape that the query protocol spread over the keys with this prefix."""
    if shape.type_name == "structure":
        members = {
            name: _from_form(member, form, f"{prefix}{member.serialization.get('name', name)}")
            for name, member in shape.members.items()
            if _given(form, f"{prefix}{member.serialization.get('name', name)}")
        }
        known = [f"{prefix}{member.serialization.get('name', name)}" for name, member in shape.members.items()]
        unknown = {each: form[each] for each in form if not prefix and not _belongs(each, known)}
        return members | unknown
    if shape.type_name == "map":
        flat = "" if shape.serialization.get("flattened") else ".entry"
        key, value = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
        return {
            form[f"{prefix}{flat}.{index}.{key}"]: _from_form(shape.value, form, f"{prefix}{flat}.{index}.{value}.")
            for index in _indexes(form, prefix + flat)
        }
    if shape.type_name == "list":
        flat = "" if shape.serialization.get("flattened") else f".{shape.member.serialization.get('name', 'member')}"
        return [_from_form(shape.member, form, f"{prefix}{flat}.{index}.") for index in _indexes(form, prefix + flat)]
    return form[prefix]


def _indexes(form: Mapping[str, str], prefix: str) -> list[int]:
    return sorted({int(each[len(prefix) + 1 :].split(".")[0]) for each in form if each.startswith(f"{prefix}.")})


def _given(form: Mapping[str, str], prefix: str) -> bool:
    return prefix in form or any(each.startswith(f"{prefix}.") for each in form)


def _belongs(key: str, known: list[str]) -> bool:
    return any(key == each or key.startswith(f"{each}.") for each in known)
