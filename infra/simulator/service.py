"""The simulated Close without its sockets: from a request to how the connection is to react."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from infra.simulator.api import accounts
from infra.simulator.api.requests import Call, Request, body_of
from infra.simulator.api.responses import Answer, Refused, error_answer, not_permitted, unauthorized
from infra.simulator.api.routes import API, Route, route_of
from infra.simulator.faults.catalog import KINDS
from infra.simulator.faults.effects import Moment, Reaction
from infra.simulator.faults.schedule import Orders, Strike, Subject
from infra.simulator.options import Switches
from infra.simulator.rate_limits import (
    GENEROUS,
    ORGANIZATION_FACTOR,
    Standing,
    rate_limit_headers,
    too_many_requests,
)
from infra.simulator.state import Credential, Entry, Organization, World
from infra.simulator.timers import ThreadTimers, Timers

_OAUTH = {"/oauth2/token/": accounts.token, "/oauth2/revoke/": accounts.revoke}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, before anybody judges whether they may."""

    presented: str
    credential: Credential | None
    organization: Organization | None


class Service:
    """Answers requests, strikes them with the faults on order, and writes the log."""

    def __init__(self, world: World | None = None, timers: Timers | None = None) -> None:
        self.world = world or World()
        self.orders = Orders()
        self.timers = timers or ThreadTimers(self.world.lock)

    def react(self, request: Request) -> Reaction:
        """Choosing a fault, carrying out and counting are one step under the lock."""
        with self.world.lock:
            caller = self._caller(request)
            subject = _subject(request, caller)
            entry = self._logged(request, caller, subject)
            strike = self.orders.choose(subject)
            latency = self.world.switches_of(caller.organization).latency_seconds
            reaction = self._struck(strike, request, caller, entry) if strike else None
            if reaction is None:
                reaction = Reaction(self.carry_out(request), wait=latency)
            if reaction.answer is not None and reaction.ending == "answer":
                entry.status = reaction.answer.status
            return reaction

    def carry_out(self, request: Request, overrides: Mapping[str, object] | None = None) -> Answer:
        """What Close would do and say. ``overrides`` are switches for this one request."""
        with self.world.lock:
            if request.path in _OAUTH and request.method == "POST":
                return _OAUTH[request.path](self.world, request)
            caller = self._caller(request)
            switches = self.world.switches_of(caller.organization).changed(overrides or {})
            try:
                route, parameters = route_of(request, switches)
            except Refused as refused:
                return refused.answer
            standing = self._standing(caller, route)
            if standing.exceeded:
                return too_many_requests(standing, switches)
            try:
                answer = self._served(request, caller, route, parameters, switches)
            except Refused as refused:
                answer = refused.answer
            return answer.with_headers(rate_limit_headers(standing, switches.rate_limit_header))

    def pending(self) -> int:
        """How many late creates are still to come."""
        with self.world.lock:
            return self.timers.pending()

    def forget_pending(self) -> None:
        with self.world.lock:
            self.timers.cancel()

    def _served(
        self,
        request: Request,
        caller: Caller,
        route: Route,
        parameters: Mapping[str, str],
        switches: Switches,
    ) -> Answer:
        organization = caller.organization
        if organization is None or caller.credential is None or not caller.credential.is_valid(self.world.clock()):
            raise Refused(unauthorized(switches))
        _refuse_by_plan_and_role(organization, route, switches)
        body = body_of(request, switches) if route.method in {"POST", "PUT"} else {}
        return route.serve(Call(self.world, organization, switches, request, parameters, body))

    def _struck(self, strike: Strike, request: Request, caller: Caller, entry: Entry) -> Reaction | None:
        """None when the request was refused anyway: then the fault waits for another one."""
        kind, parameters = KINDS[strike.name], strike.parameters
        answer = Answer(0)
        if kind.work == "first":
            lag = parameters["list_lag_seconds"]
            answer = self.carry_out(request, {} if lag is None else {"list_lag_seconds": lag})
            if not answer.succeeded:
                return Reaction(answer)
        self.orders.count(strike)
        entry.fault = strike.name
        switches = self.world.switches_of(caller.organization)
        reaction = kind.react(Moment(answer, switches, request.base_url, self.world.clock()), parameters)
        if kind.work == "later":
            self._carry_out_later(request, parameters["seconds"], entry)
        if kind.work == "after_wait":
            return Reaction(None, wait=reaction.wait, work=lambda: self._carry_out_now(request, entry))
        return reaction

    def _carry_out_now(self, request: Request, entry: Entry) -> Answer:
        with self.world.lock:
            answer = self.carry_out(request)
            entry.status = answer.status
            return answer

    def _carry_out_later(self, request: Request, seconds: float, entry: Entry) -> None:
        def work() -> None:
            late = replace(entry, time=self.world.date().isoformat(), fault=f"{entry.fault} (the create)")
            late.status = self.carry_out(request).status
            self.world.log.append(late)

        self.timers.after(seconds, work)

    def _caller(self, request: Request) -> Caller:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        presented = text.strip() if scheme.lower() == "bearer" else _basic_user(scheme, text)
        credential = self.world.credentials.get(presented)
        wanted = {"bearer": "access_token", "basic": "api_key"}.get(scheme.lower())
        if credential is None or credential.kind != wanted:
            return Caller(presented, None, None)
        return Caller(presented, credential, self.world.organization_of(credential))

    def _standing(self, caller: Caller, route: Route) -> Standing:
        """Counts the request, also one with a dead key: hammering with it ends in 429, too."""
        key_limit = (caller.credential and caller.credential.rate_limit) or GENEROUS
        limits = {f"key {caller.presented}": key_limit}
        if caller.organization:
            own = caller.organization.rate_limit
            limits[f"organization {caller.organization.id}"] = own or key_limit.times(ORGANIZATION_FACTOR)
        return self.world.windows.count(route.group, limits, self.world.clock())

    def _logged(self, request: Request, caller: Caller, subject: Subject) -> Entry:
        entry = Entry(
            method=request.method,
            path=request.path,
            time=self.world.date().isoformat(),
            organization_id=subject.organization_id,
            key_suffix=suffix(caller.presented),
            type_name=subject.type_name,
        )
        self.world.log.append(entry)
        return entry


def suffix(key: str) -> str | None:
    """What the log may tell of a key: its last four characters, if enough others remain."""
    return key[-4:] if len(key) >= 8 else None


def _basic_user(scheme: str, encoded: str) -> str:
    """The user of Basic authentication with an empty password, or nobody."""
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


def _refuse_by_plan_and_role(organization: Organization, route: Route, switches: Switches) -> None:
    if not route.customizes:
        return
    if not organization.has_custom_objects and (route.writes or switches.plan_failure_on == "everything"):
        raise Refused(error_answer(switches.plan_failure, "Your plan does not include custom objects."))
    if not organization.may_customize and route.writes:
        raise Refused(not_permitted(switches))
