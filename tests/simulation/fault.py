"""The faults of one call to a dependency, as text that can be printed and read back.

A case is a scenario with the faults that strike it: ``queue create: kill after close.POST acme/account#1``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Position(StrEnum):
    """When, relative to what the neighbor does with the call."""

    BEFORE = "before"
    AFTER = "after"


class FaultKind(StrEnum):
    """The kind of a fault.

    *Before* means that the call is not carried out, except where a delay is what goes wrong: then it is carried out
    after the caller stopped waiting. *After* means that it is carried out, and its response is lost.
    """

    ERROR = "error"
    """The neighbor answers 500; an AWS neighbor does so to all the SDK's attempts at this call."""
    THROTTLE = "throttle"
    """Told to slow down (429, ThrottlingException). After: carried out, the answer lost, then told to slow down."""
    LOST = "lost"
    """The connection breaks, once: the SDK tries again where it may."""
    SLOW = "slow"
    """The answer comes later than the client waits, once."""
    KILL = "kill"
    """The process ends here, without a word."""
    KILL_UNDERWAY = "kill-underway"
    """The process ends here, and the call arrives ten seconds later."""
    OVERRUN = "overrun"
    """The call takes longer than the function may run: it is killed at its deadline."""
    FREEZE = "freeze"
    """The process stands still until a second before its deadline."""
    RIVAL = "rival"
    """A rival that wants the same type does all of its work at this moment."""
    GARBLED = "garbled"
    """Carried out, and answered with a success that names nothing."""
    PARTIAL = "partial"
    """Of a batch, every second entry is refused, and the others are carried out. After: all are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``call`` names one call of a run: what it does, to whom, and for the how manieth time (``…#2``)."""

    kind: FaultKind
    position: Position
    call: str

    def __str__(self) -> str:
        return f"{self.kind} {self.position} {self.call}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises ``ValueError`` when the text names no fault."""
        found = re.fullmatch(r"(\S+) (before|after) (.+#\d+)", text.strip())
        if not found:
            raise ValueError(f"a fault reads '<kind> before|after <call>#<n>', not {text!r}")
        return cls(FaultKind(found[1]), Position(found[2]), found[3])


@dataclass(frozen=True, slots=True)
class Case:
    """One run: a scenario, and the faults that strike it."""

    scenario: str
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return f"{self.scenario}: {'; '.join(map(str, self.faults)) or 'no fault'}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises ``ValueError`` when the text names no case."""
        scenario, _, faults = text.partition(": ")
        return cls(scenario, tuple(map(Fault.read, faults.split("; "))) if faults not in {"", "no fault"} else ())
