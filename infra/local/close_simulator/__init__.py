"""A simulated Close."""

from infra.local.close_simulator.remote import ControlError, Remote
from infra.local.close_simulator.simulator import CloseSimulator
from infra.local.close_simulator.switches import Switches

__all__ = ["CloseSimulator", "ControlError", "Remote", "Switches"]
