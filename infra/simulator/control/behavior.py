"""Control: how Close behaves (switches), and what goes wrong (faults, chaos)."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from infra.simulator.control.bodies import Body, refuse_unknown
from infra.simulator.faults.schedule import Aim, Chaos, complete
from infra.simulator.service import Service

_AIM = ("method", "path", "organization", "type_name")
_BOUNDS = ("times", "times_each")


def switches(service: Service, _: Body) -> Body:
    return service.world.switches.as_dict()


def change_switches(service: Service, body: Body) -> Body:
    service.world.switches = service.world.switches.changed(body)
    return switches(service, {})


def arm(service: Service, body: Body) -> Body:
    refuse_unknown(body, {"name", "times", "skip", "parameters", *_AIM})
    times, skip = body.get("times", 1), body.get("skip", 0)
    _refuse_no_count(times=times, skip=skip)
    return asdict(service.orders.arm(body["name"], _aim(body), body.get("parameters") or {}, times, skip))


def faults(service: Service, body: Body) -> Body:
    """How often each struck, what is still to come; of one ``organization`` if given."""
    organization = body.get("organization")
    orders = [order for order in service.orders.orders if organization in {None, order.aim.organization}]
    return {
        "fired": service.orders.fired(organization),
        "pending": service.pending(),
        "orders": [asdict(order) for order in orders],
        "chaos": _shown(service.orders.chaos),
    }


def disarm(service: Service, body: Body) -> Body:
    service.orders.disarm(body.get("organization"))
    return faults(service, {})


def set_chaos(service: Service, body: Body) -> Body:
    refuse_unknown(body, {"seed", "probability", "mix", "parameters", *_BOUNDS, *_AIM})
    mix = body["mix"] if isinstance(body["mix"], dict) else dict.fromkeys(body["mix"], 1)
    given: Mapping[str, Mapping[str, Any]] = body.get("parameters") or {}
    refuse_unknown(given, mix)
    parameters = {name: complete(name, given.get(name, {})) for name in mix}
    bounds: dict[str, Any] = {key: body.get(key) for key in _BOUNDS}
    _refuse_no_count(**bounds)
    if min(mix.values(), default=0) <= 0 or not 0 <= body["probability"] <= 1:
        raise ValueError("chaos takes a mix of faults with weights above 0, and a probability from 0 to 1")
    service.orders.chaos = Chaos(body["seed"], body["probability"], mix, _aim(body), parameters, **bounds)
    return faults(service, {})


def _aim(body: Body) -> Aim:
    given = {key: body[key] for key in _AIM if body.get(key) is not None}
    for key, value in given.items():
        if not isinstance(value, str):
            raise TypeError(f"{key} takes a text, not {value!r}")
    return Aim(**given)


def _refuse_no_count(**counts: object) -> None:
    for name, value in counts.items():
        if value is not None and (type(value) is not int or value < 0):
            raise ValueError(f"{name} takes a whole number, not {value!r}")


def _shown(chaos: Chaos | None) -> Body | None:
    if chaos is None:
        return None
    keys = ("seed", "probability", "mix", "parameters", *_BOUNDS, "fired")
    return {**{key: getattr(chaos, key) for key in keys}, "aim": asdict(chaos.aim)}
