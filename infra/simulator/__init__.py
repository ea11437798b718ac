"""A simulated Close: an HTTP server that follows Close's documentation, loses responses on demand, and shows its state.

``README.md`` in this folder describes the options, the faults and the control API.
"""

from infra.simulator.control.client import ControlClient, ControlError
from infra.simulator.options import Options
from infra.simulator.server import CloseSimulator

__all__ = ["CloseSimulator", "ControlClient", "ControlError", "Options"]
