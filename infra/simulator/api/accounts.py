"""``/me/`` and ``/role/``, and OAuth's tokens outside ``/api/v1/``."""

import secrets
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from infra.simulator.api.requests import Call, Request
from infra.simulator.api.responses import Refused, Response, json_response, not_permitted
from infra.simulator.roles import permissions_of
from infra.simulator.state import Credential, Organization, RefreshToken, State


def me(call: Call) -> Response:
    organization = call.organization
    others = {each: call.state.organizations.get(each) for each in organization.member_of}
    user = {
        "id": organization.user_id,
        "email": "someone@example.com",
        "first_name": "Some",
        "last_name": "One",
        "image": None,
        "last_used_timezone": None,
        "date_created": "2020-08-04T17:36:09.235000+00:00",
        "date_updated": "2020-08-04T17:36:09.235000+00:00",
        "email_accounts": [],
        "phone_numbers": [],
        "memberships": [
            _membership(organization, organization.id, organization.user_role, organization.permissions_granted),
            *(_membership(organization, each, role_id) for each, role_id in organization.member_of.items()),
        ],
        "organizations": [
            {"id": each, "name": other.name if other else each, "lead_statuses": [], "pipelines": []}
            for each, other in {organization.id: organization, **others}.items()
        ],
    }
    return call.one(user)


def _membership(
    organization: Organization, organization_id: str, role_id: str, permissions_granted: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "id": f"memb_{organization.user_id.removeprefix('user_')}",
        "organization_id": organization_id,
        "user_id": organization.user_id,
        "role_id": role_id,
        "permissions_granted": list(permissions_granted),
        "auto_record_calls": False,
    }


def list_roles(call: Call) -> Response:
    if call.options.roles_readable == "by_administrators" and not call.organization.permits_customizing:
        raise Refused(not_permitted(call.options))
    return call.paged([_role(call.organization, role_id, name) for role_id, name in call.roles().items()])


def _role(organization: Organization, role_id: str, name: str) -> dict[str, Any]:
    return {
        "id": role_id,
        "name": name,
        "editable": role_id in organization.roles,
        "organization_id": organization.id,
        "permissions": permissions_of(role_id, organization.roles),
        "visibility_user_lcf_behavior": None,
        "visibility_user_lcf_ids": [],
        "date_created": "0001-01-01T00:00:00",
        "date_updated": "0001-01-01T00:00:00",
    }


def token(state: State, request: Request) -> Response:
    """Exchange a code or a refresh token (``POST /oauth2/token/``). A refresh token is valid for one exchange."""
    form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    client_id = _client(state, request, form)
    if client_id is None:
        return _oauth_error(401, "invalid_client")
    match form.get("grant_type"):
        case "authorization_code":
            organization_id = state.authorization_codes.pop(form.get("code", ""), None)
            return _granted(state, organization_id, client_id, first=True)
        case "refresh_token":
            return _refreshed(state, form.get("refresh_token", ""), client_id)
        case _:
            return _oauth_error(400, "unsupported_grant_type")


def revoke(state: State, request: Request) -> Response:
    form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    if _client(state, request, form) is None:
        return _oauth_error(401, "invalid_client")
    text = form.get("token", "")
    state.refresh_tokens.pop(text, None)
    if credential := state.credentials.get(text):
        credential.revoked = True
    return json_response({})


def grant(state: State, organization_id: str, client_id: str, *, with_refresh_token: bool = True) -> dict[str, Any]:
    """Return a new pair of tokens, as the token endpoint responds."""
    organization = state.organizations[organization_id]
    lifetime = state.options_of(organization).token_lifetime_seconds
    access = secrets.token_urlsafe(32)
    state.credentials[access] = Credential("access_token", access, organization_id, expires_at=state.clock() + lifetime)
    response: dict[str, Any] = {
        "token_type": "Bearer",
        "access_token": access,
        "expires_in": lifetime,
        "scope": "all.full_access offline_access",
        "organization_id": organization_id,
        "user_id": organization.user_id,
    }
    if with_refresh_token:
        response["refresh_token"] = secrets.token_urlsafe(32)
        state.refresh_tokens[response["refresh_token"]] = RefreshToken(organization_id, client_id)
    return response


def _granted(state: State, organization_id: str | None, client_id: str, *, first: bool) -> Response:
    organization = state.organizations.get(organization_id or "")
    if organization is None:
        return _oauth_error(400, "invalid_grant")
    with_refresh_token = first or state.options_of(organization).refresh_answers_with_refresh_token
    return json_response(grant(state, organization.id, client_id, with_refresh_token=with_refresh_token))


def _refreshed(state: State, text: str, client_id: str) -> Response:
    known = state.refresh_tokens.get(text)
    if known is None or not known.is_valid(state.clock()) or known.client_id != client_id:
        return _oauth_error(400, "invalid_grant")
    options = state.options_of(state.organizations.get(known.organization_id))
    if options.refresh_answers_with_refresh_token and known.void_from is None:
        known.void_from = state.clock() + options.refresh_grace_seconds
    return _granted(state, known.organization_id, client_id, first=False)


def _client(state: State, request: Request, form: dict[str, str]) -> str | None:
    """Return the id of the client that authenticated itself in the form or by Basic; None without one."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = b64decode(encoded).decode().partition(":")
        except (NotBase64, UnicodeDecodeError):
            return None
    return client_id if client_id and state.oauth_clients.get(client_id) == secret else None


def _oauth_error(status: int, error: str) -> Response:
    """Return an error of RFC 6749, section 5.2. Close's own messages are not known."""
    return json_response({"error": error, "error_description": error.replace("_", " ")}, status)
