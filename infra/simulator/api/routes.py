"""Every path of the simulated Close, and the responses for other paths."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from infra.simulator.api.accounts import list_roles, me
from infra.simulator.api.custom_fields import (
    create_field,
    delete_field,
    get_field,
    list_fields,
    update_field,
)
from infra.simulator.api.custom_object_types import (
    create_type,
    delete_type,
    get_type,
    list_types,
    update_type,
)
from infra.simulator.api.requests import Request, Serve
from infra.simulator.api.responses import Refused, Response, error_response
from infra.simulator.api.shared_fields import (
    associate,
    create_shared,
    delete_association,
    delete_shared,
    get_association,
    get_order,
    get_shared,
    list_shared,
    put_order,
    update_association,
    update_shared,
)
from infra.simulator.options import Options

API = "/api/v1/"


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path below ``/api/v1/``. ``{name}`` is one segment, ``{name*}`` the rest of the path."""

    method: str
    pattern: str
    serve: Serve

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def customizes(self) -> bool:
        """Return whether the route needs a permission of the plan and the role."""
        return self.pattern not in {"me/", "role/"}

    @property
    def group(self) -> str:
        """Return the endpoint group for rate limits: method and path prefix."""
        return f"{self.method} {self.pattern.partition('/{')[0]}"


_TYPE = "custom_object_type/"
_FIELD = "custom_field/custom_object_type/"
_SHARED = "custom_field/shared/"
_ASSOCIATION = "custom_field/shared/{id}/association/"
_ORDER = "custom_field_schema/custom_object/{id}/"

ROUTES = (
    Route("GET", "me/", me),
    Route("GET", "role/", list_roles),
    Route("GET", _TYPE, list_types),
    Route("POST", _TYPE, create_type),
    Route("GET", _TYPE + "{id}/", get_type),
    Route("PUT", _TYPE + "{id}/", update_type),
    Route("DELETE", _TYPE + "{id}/", delete_type),
    Route("GET", _FIELD, list_fields),
    Route("POST", _FIELD, create_field),
    Route("GET", _FIELD + "{id}/", get_field),
    Route("PUT", _FIELD + "{id}/", update_field),
    Route("DELETE", _FIELD + "{id}/", delete_field),
    Route("GET", _SHARED, list_shared),
    Route("POST", _SHARED, create_shared),
    Route("GET", _SHARED + "{id}/", get_shared),
    Route("PUT", _SHARED + "{id}/", update_shared),
    Route("DELETE", _SHARED + "{id}/", delete_shared),
    Route("POST", _ASSOCIATION, associate),
    Route("GET", _ASSOCIATION + "{address*}/", get_association),
    Route("PUT", _ASSOCIATION + "{address*}/", update_association),
    Route("DELETE", _ASSOCIATION + "{address*}/", delete_association),
    Route("GET", _ORDER, get_order),
    Route("PUT", _ORDER, put_order),
)

OAUTH_PATHS = ("/oauth2/token/", "/oauth2/revoke/")
KNOWN = [*(f"{route.method} {API}{route.pattern}" for route in ROUTES), *(f"POST {path}" for path in OAUTH_PATHS)]


def route_of(request: Request, options: Options) -> tuple[Route, Mapping[str, str]]:
    """Return the route and its parameters. Raises ``Refused`` with 405, 501, or the response to a missing slash."""
    path = request.path
    served = _served(path)
    if not served and not path.endswith("/") and _served(f"{path}/"):
        if options.slashless == "404":
            raise Refused(error_response(404, "The requested URL was not found on the server."))
        if options.slashless != "served":
            headers = {"Location": f"{request.base_url}{path}/"}
            raise Refused(Response(int(options.slashless), b"", headers))
        served = _served(f"{path}/")
    if not served:
        raise Refused(unknown_path(request))
    for route, parameters in served:
        if route.method == request.method:
            return route, parameters
    allowed = ", ".join(route.method for route, _ in served)
    raise Refused(
        error_response(405, "The method is not allowed for the requested URL.").with_headers({"Allow": allowed})
    )


def unknown_path(request: Request) -> Response:
    """Return a 501: the simulator does not guess what Close would do."""
    message = f"The simulated Close does not know {request.method} {request.path}"
    return error_response(501, message, known=KNOWN)


def _served(path: str) -> list[tuple[Route, Mapping[str, str]]]:
    matches = ((route, parameters_of(API + route.pattern, path)) for route in ROUTES)
    return [(route, parameters) for route, parameters in matches if parameters is not None]


def parameters_of(pattern: str, path: str) -> dict[str, str] | None:
    """Return the parameters of a path, percent-decoded; None if it does not match the pattern."""
    found = _expression(pattern).fullmatch(path)
    return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_expressions(re.split(r"(\{\w+\*?\})", pattern))))


def _expressions(parts: Iterable[str]) -> Iterable[str]:
    for part in parts:
        if not part.startswith("{"):
            yield re.escape(part)
        elif part.endswith("*}"):
            yield f"(?P<{part[1:-2]}>.+?)"
        else:
            yield f"(?P<{part[1:-1]}>[^/]+)"
