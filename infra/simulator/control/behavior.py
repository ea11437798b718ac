"""Control calls about the behavior of the simulated Close: options, faults and chaos."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from infra.simulator.control.bodies import Body, refuse_unknown
from infra.simulator.faults.schedule import Aim, Chaos, complete
from infra.simulator.service import Service

_AIM = ("method", "path", "organization", "type_name")
_BOUNDS = ("times", "times_each")


def options(service: Service, _: Body) -> Body:
    return service.state.options.as_dict()


def change_options(service: Service, body: Body) -> Body:
    service.state.options = service.state.options.changed(body)
    return options(service, {})


def arm(service: Service, body: Body) -> Body:
    refuse_unknown(body, {"name", "times", "skip", "parameters", *_AIM})
    times, skip = body.get("times", 1), body.get("skip", 0)
    _require_counts(times=times, skip=skip)
    return asdict(service.schedule.arm(body["name"], _aim(body), body.get("parameters") or {}, times, skip))


def faults(service: Service, body: Body) -> Body:
    """Return how often each fault struck and what is armed or pending, of one ``organization`` if given."""
    organization = body.get("organization")
    armed = [fault for fault in service.schedule.armed if organization in {None, fault.aim.organization}]
    return {
        "fired": service.schedule.fired(organization),
        "pending": service.pending(),
        "orders": [asdict(fault) for fault in armed],
        "chaos": _shown(service.schedule.chaos),
    }


def disarm(service: Service, body: Body) -> Body:
    service.schedule.disarm(body.get("organization"))
    return faults(service, {})


def set_chaos(service: Service, body: Body) -> Body:
    refuse_unknown(body, {"seed", "probability", "mix", "parameters", *_BOUNDS, *_AIM})
    mix = body["mix"] if isinstance(body["mix"], dict) else dict.fromkeys(body["mix"], 1)
    given: Mapping[str, Mapping[str, Any]] = body.get("parameters") or {}
    refuse_unknown(given, mix)
    parameters = {name: complete(name, given.get(name, {})) for name in mix}
    bounds: dict[str, Any] = {key: body.get(key) for key in _BOUNDS}
    _require_counts(**bounds)
    if min(mix.values(), default=0) <= 0 or not 0 <= body["probability"] <= 1:
        raise ValueError("chaos needs a mix of faults with weights above 0, and a probability from 0 to 1")
    service.schedule.chaos = Chaos(body["seed"], body["probability"], mix, _aim(body), parameters, **bounds)
    return faults(service, {})


def _aim(body: Body) -> Aim:
    given = {key: body[key] for key in _AIM if body.get(key) is not None}
    for key, value in given.items():
        if not isinstance(value, str):
            raise TypeError(f"{key} must be a string, not {value!r}")
    return Aim(**given)


def _require_counts(**counts: object) -> None:
    for name, value in counts.items():
        if value is not None and (type(value) is not int or value < 0):
            raise ValueError(f"{name} must be a whole number, not {value!r}")


def _shown(chaos: Chaos | None) -> Body | None:
    if chaos is None:
        return None
    keys = ("seed", "probability", "mix", "parameters", *_BOUNDS, "fired")
    return {**{key: getattr(chaos, key) for key in keys}, "aim": asdict(chaos.aim)}
