"""The simulated Close without its sockets: from a request to its effect on the connection."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from infra.simulator.api import accounts
from infra.simulator.api.requests import Call, Request, body_of
from infra.simulator.api.responses import Refused, Response, error_response, not_permitted, unauthorized
from infra.simulator.api.routes import API, Route, route_of
from infra.simulator.faults.catalog import KINDS
from infra.simulator.faults.effects import Effect, Moment
from infra.simulator.faults.schedule import Schedule, Strike, Subject
from infra.simulator.options import Options
from infra.simulator.rate_limits import (
    GENEROUS,
    ORGANIZATION_FACTOR,
    Standing,
    rate_limit_headers,
    too_many_requests,
)
from infra.simulator.state import Credential, LogEntry, Organization, State
from infra.simulator.timers import ThreadTimers, Timers

_OAUTH = {"/oauth2/token/": accounts.token, "/oauth2/revoke/": accounts.revoke}


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request, before its permissions are checked."""

    presented: str
    credential: Credential | None
    organization: Organization | None


class Service:
    """A service that responds to requests, applies armed faults, and keeps the log."""

    def __init__(self, state: State | None = None, timers: Timers | None = None) -> None:
        self.state = state or State()
        self.schedule = Schedule()
        self.timers = timers or ThreadTimers(self.state.lock)

    def receive(self, request: Request) -> Effect:
        """Return the effect of a request. The fault is chosen, applied and counted in one step under the lock."""
        with self.state.lock:
            caller = self._caller(request)
            subject = _subject(request, caller)
            entry = self._logged(request, caller, subject)
            strike = self.schedule.choose(subject)
            latency = self.state.options_of(caller.organization).latency_seconds
            effect = self._struck(strike, request, caller, entry) if strike else None
            if effect is None:
                effect = Effect(self.handle(request), wait=latency)
            if effect.response is not None and effect.ending == "respond":
                entry.status = effect.response.status
            return effect

    def handle(self, request: Request, overrides: Mapping[str, object] | None = None) -> Response:
        """Process a request as Close would. ``overrides``: options for this request only."""
        with self.state.lock:
            if request.path in _OAUTH and request.method == "POST":
                return _OAUTH[request.path](self.state, request)
            caller = self._caller(request)
            options = self.state.options_of(caller.organization).changed(overrides or {})
            try:
                route, parameters = route_of(request, options)
            except Refused as refused:
                return refused.response
            standing = self._standing(caller, route)
            if standing.exceeded:
                return too_many_requests(standing, options).with_headers(self._date(options))
            try:
                response = self._served(request, caller, route, parameters, options)
            except Refused as refused:
                response = refused.response
            headers = rate_limit_headers(standing, options.rate_limit_header) | self._date(options)
            return response.with_headers(headers)

    def _date(self, options: Options) -> dict[str, str]:
        """Return the header Date: the time by the clock of this Close, which may be wrong."""
        shown = self.state.date() + timedelta(seconds=options.date_ahead_seconds - options.date_behind_seconds)
        return {"Date": format_datetime(shown, usegmt=True)}

    def pending(self) -> int:
        """Return the number of late creates that are pending."""
        with self.state.lock:
            return self.timers.pending()

    def forget_pending(self) -> None:
        with self.state.lock:
            self.timers.cancel()

    def _served(
        self,
        request: Request,
        caller: Caller,
        route: Route,
        parameters: Mapping[str, str],
        options: Options,
    ) -> Response:
        organization = caller.organization
        if organization is None or caller.credential is None or not caller.credential.is_valid(self.state.clock()):
            raise Refused(unauthorized(options))
        _refuse_by_plan_and_role(organization, route, options)
        body = body_of(request, options) if route.method in {"POST", "PUT"} else {}
        return route.serve(Call(self.state, organization, options, request, parameters, body))

    def _struck(self, strike: Strike, request: Request, caller: Caller, entry: LogEntry) -> Effect | None:
        """Return the effect of a fault. A fault that works first is kept if Close would reject the request."""
        kind, parameters = KINDS[strike.name], strike.parameters
        response = Response(0)
        if kind.work == "first":
            lag = parameters["list_lag_seconds"]
            response = self.handle(request, {} if lag is None else {"list_lag_seconds": lag})
            if not response.succeeded:
                return Effect(response)
        self.schedule.count(strike)
        entry.fault = strike.name
        options = self.state.options_of(caller.organization)
        effect = kind.effect(Moment(response, options, request.base_url, self.state.clock()), parameters)
        if kind.work == "later":
            self._handle_later(request, parameters["seconds"], entry)
        if kind.work == "after_wait":
            return Effect(None, wait=effect.wait, work=lambda: self._handle_now(request, entry))
        return effect

    def _handle_now(self, request: Request, entry: LogEntry) -> Response:
        with self.state.lock:
            response = self.handle(request)
            entry.status = response.status
            return response

    def _handle_later(self, request: Request, seconds: float, entry: LogEntry) -> None:
        def work() -> None:
            late = replace(entry, time=self.state.date().isoformat(), fault=f"{entry.fault} (the create)")
            late.status = self.handle(request).status
            self.state.log.append(late)

        self.timers.after(seconds, work)

    def _caller(self, request: Request) -> Caller:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        presented = text.strip() if scheme.lower() == "bearer" else _basic_user(scheme, text)
        credential = self.state.credentials.get(presented)
        kind = {"bearer": "access_token", "basic": "api_key"}.get(scheme.lower())
        if credential is None or credential.kind != kind:
            return Caller(presented, None, None)
        return Caller(presented, credential, self.state.organization_of(credential))

    def _standing(self, caller: Caller, route: Route) -> Standing:
        """Count the request. Requests with an invalid key count too, so that they can also get 429."""
        key_limit = (caller.credential and caller.credential.rate_limit) or GENEROUS
        limits = {f"key {caller.presented}": key_limit}
        if caller.organization:
            own = caller.organization.rate_limit
            limits[f"organization {caller.organization.id}"] = own or key_limit.times(ORGANIZATION_FACTOR)
        return self.state.windows.count(route.group, limits, self.state.clock())

    def _logged(self, request: Request, caller: Caller, subject: Subject) -> LogEntry:
        entry = LogEntry(
            method=request.method,
            path=request.path,
            time=self.state.date().isoformat(),
            organization_id=subject.organization_id,
            key_suffix=suffix(caller.presented),
            type_name=subject.type_name,
        )
        self.state.log.append(entry)
        return entry


def suffix(key: str) -> str | None:
    """Return the part of a key that the log may show: the last four characters of eight or more."""
    return key[-4:] if len(key) >= 8 else None


def _basic_user(scheme: str, encoded: str) -> str:
    """Return the user of Basic authentication with an empty password; otherwise an empty string."""
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = b64decode(encoded).decode().partition(":")
    except ValueError:  # not Base64, or not UTF-8
        return ""
    return "" if password else user


def _subject(request: Request, caller: Caller) -> Subject:
    body: Mapping[str, Any] = (request.json_object() or {}) if request.body else {}
    name = body.get("name")
    organization = caller.organization
    return Subject(
        request.method,
        request.path.removeprefix(API).strip("/"),
        organization.id if organization else None,
        organization.name if organization else None,
        name if isinstance(name, str) else None,
    )


def _refuse_by_plan_and_role(organization: Organization, route: Route, options: Options) -> None:
    if not route.customizes:
        return
    if not organization.has_custom_objects and (route.writes or options.plan_failure_on == "everything"):
        raise Refused(error_response(options.plan_failure, "Your plan does not include custom objects."))
    if not organization.permits_customizing and route.writes:
        raise Refused(not_permitted(options))
