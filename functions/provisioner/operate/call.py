"""One call of the operator's API, free of API Gateway, and the errors of its parameters."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, NoReturn

from provisioner.contract.errors import ErrorDetail, ProblemType, Rejected

type Answer = dict[str, Any]


class Call(NamedTuple):
    """A call. ``path``: the parameters in its path. ``query``: all values of each query parameter.

    ``principal``: the IAM principal that signed it, as the gateway says. ``time_left``: in seconds.
    """

    path: Mapping[str, str]
    query: Mapping[str, list[str]]
    principal: str
    time_left: Callable[[], float]
    body: bytes = b""


def reject_parameter(name: str, fault: str) -> NoReturn:
    """Raise ``Rejected`` (INVALID_REQUEST) for a query parameter. A pointer cannot name it, since it is in no body."""
    detail = f"{name}: {fault}"
    raise Rejected(
        ProblemType.INVALID_REQUEST, f"Query parameter {detail}.", errors=(ErrorDetail(pointer="", detail=detail),)
    )


def only_known(query: Mapping[str, list[str]], known: Collection[str]) -> None:
    """Raise ``Rejected`` for a query parameter that the route does not have."""
    for name in query:
        if name not in known:
            reject_parameter(name[:40], f"unknown parameter; known: {', '.join(sorted(known)) or 'none'}")


def single(query: Mapping[str, list[str]], name: str) -> str | None:
    """Return the value of a parameter that may be given once."""
    values = query.get(name, [])
    if len(values) > 1:
        reject_parameter(name, "must be given once")
    return values[0] if values else None
