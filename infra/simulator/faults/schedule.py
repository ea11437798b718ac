"""The schedule of faults: which requests each one strikes, how often it did so, and seeded chaos."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from random import Random
from typing import Any

from infra.simulator.faults.catalog import KINDS
from infra.simulator.state import folded


@dataclass(frozen=True, slots=True)
class Subject:
    """The properties of a request that a fault may match. ``path`` is below ``/api/v1/``, without outer slashes."""

    method: str
    path: str
    organization_id: str | None = None
    organization_name: str | None = None
    type_name: str | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """The requests that a fault may strike. None matches any; ``method`` may be ``*``, ``path`` a glob, and names are
    compared folded.
    """

    method: str = "POST"
    path: str = "custom_object_type"
    organization: str | None = None
    type_name: str | None = None

    def matches(self, subject: Subject) -> bool:
        return (
            self.method in {"*", subject.method}
            and fnmatchcase(subject.path, self.path.strip("/"))
            and self.organization in {None, subject.organization_id}
            and (self.type_name is None or folded(self.type_name) == folded(subject.type_name or ""))
        )


@dataclass(slots=True)
class ArmedFault:
    """A fault that strikes ``times`` requests (None: all of them) after it let ``skip`` requests pass."""

    id: int
    name: str
    aim: Aim
    parameters: dict[str, Any]
    times: int | None = 1
    skip: int = 0
    fired: int = 0

    def strikes(self) -> bool:
        """Return whether it strikes. Call this once for each request that the aim matches."""
        if self.times is not None and self.fired >= self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        return True


@dataclass(slots=True)
class Chaos:
    """Faults at random: each request is struck with ``probability``, by a fault drawn from ``mix`` (name → weight).

    A draw depends on the seed, the organization's name, the method, the path, the type's name, and the number of such
    requests before it. So the same seed strikes the same requests, however threads interleave. At most ``times``
    requests are struck in all, and ``times_each`` of a kind; ``times`` depends on the order of arrival.
    """

    seed: int | str
    probability: float
    mix: Mapping[str, float]
    aim: Aim
    parameters: Mapping[str, dict[str, Any]]
    times: int | None = None
    times_each: int | None = None
    fired: int = 0
    _seen: Counter[Subject] = field(default_factory=Counter)
    _struck: Counter[Subject] = field(default_factory=Counter)

    def draw(self, subject: Subject) -> str | None:
        """Return the name of the fault that strikes, or None."""
        self._seen[subject] += 1
        spent = self.times is not None and self.fired >= self.times
        if spent or (self.times_each is not None and self._struck[subject] >= self.times_each):
            return None
        words = (self.seed, subject.organization_name, subject.method, subject.path, subject.type_name)
        random = Random(repr((*words, self._seen[subject])))  # noqa: S311 - seeded chance, not a secret
        if random.random() >= self.probability:
            return None
        return random.choices(list(self.mix), list(self.mix.values()))[0]

    def count(self, subject: Subject) -> None:
        self.fired += 1
        self._struck[subject] += 1


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault about to strike a request. It counts once it did (``Schedule.count``)."""

    name: str
    parameters: Mapping[str, Any]
    subject: Subject
    source: ArmedFault | Chaos


@dataclass(slots=True)
class Schedule:
    """All armed faults and chaos. Callers hold the state's lock, so a fault is chosen and counted in one step."""

    armed: list[ArmedFault] = field(default_factory=list)
    chaos: Chaos | None = None
    _fired: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    _ids: Iterable[int] = field(default_factory=lambda: count(1))

    def arm(
        self, name: str, aim: Aim, parameters: Mapping[str, Any], times: int | None = 1, skip: int = 0
    ) -> ArmedFault:
        """Arm a fault. Raises ``ValueError`` for an unknown fault or parameter."""
        fault = ArmedFault(next(iter(self._ids)), name, aim, complete(name, parameters), times, skip)
        self.armed.append(fault)
        return fault

    def choose(self, subject: Subject) -> Strike | None:
        """Return the fault that strikes this request: the oldest armed one that matches, otherwise one of chaos."""
        for fault in self.armed:
            if fault.aim.matches(subject) and fault.strikes():
                return Strike(fault.name, fault.parameters, subject, fault)
        if self.chaos and self.chaos.aim.matches(subject) and (name := self.chaos.draw(subject)):
            return Strike(name, self.chaos.parameters[name], subject, self.chaos)
        return None

    def count(self, strike: Strike) -> None:
        self._fired[strike.name, strike.subject.organization_id] += 1
        if isinstance(strike.source, Chaos):
            strike.source.count(strike.subject)
        else:
            strike.source.fired += 1

    def fired(self, organization_id: str | None = None) -> dict[str, int]:
        """Return how often each fault struck, in all or in one organization."""
        counts: Counter[str] = Counter()
        for (name, struck), number in self._fired.items():
            if organization_id in {None, struck}:
                counts[name] += number
        return dict(counts)

    def disarm(self, organization_id: str | None = None) -> None:
        """Remove all armed faults and chaos, or those of one organization. Counts stay."""
        if organization_id is None:
            self.armed.clear()
            self.chaos = None
            return
        self.armed[:] = [fault for fault in self.armed if fault.aim.organization != organization_id]
        if self.chaos and self.chaos.aim.organization == organization_id:
            self.chaos = None

    def reset(self) -> None:
        self.disarm()
        self._fired.clear()


def complete(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fault's parameters with its defaults. Raises ``ValueError`` for an unknown fault or parameter."""
    if name not in KINDS:
        raise ValueError(f"Unknown fault {name!r}. Use one of: {', '.join(KINDS)}.")
    return KINDS[name].complete(parameters)
