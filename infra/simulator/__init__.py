"""A simulated Close: a real HTTP server on 127.0.0.1 that behaves as Close's documentation says, loses answers on
order, and can be asked afterwards what really happened.

It knows Custom Object Types, their fields, shared fields and associations, the order of fields, ``/me/``,
``/role/`` and OAuth's tokens; anything else it answers with 501 and the list of what it knows. Where the
documentation leaves a question open there is a switch (``switches.py`` says what each decides), and where an answer
can get lost there is a fault (``faults.py``). Nothing is kept on disk.

    python -m infra.simulator --port 0 --setup setup.json

prints one line, ``{"url": …, "api_url": …, "control_url": …}``, and serves until SIGTERM or Ctrl-C. The setup
(optional) is ``{"switches": {…}, "organizations": [{"id", "name", "keys", "types", "switches", …}]}``; a reset goes
back to it. In tests, ``with CloseSimulator() as close:`` does the same in a thread, and ``Remote(url)`` controls one
that was started elsewhere: each control call below is a method of it.

Below, ``$CLOSE`` is the printed ``url`` and ``$C`` is ``$CLOSE/_control``. Control calls need no key and answer what
now is; a mistake is a 400, an unknown id a 404, both with ``{"error"}``.

Who may enter. Everything but the path is optional; a key that is not given is made up, and told once:

    curl $C/organizations/ -d '{"id": "orga_demo", "name": "Demo", "keys": ["api_demo.0123456789"]}'
    curl $C/organizations/orga_demo/keys/ -d '{"key": "api_slow.1"}'
    curl $C/organizations/orga_demo/keys/ -d '{"rate_limit": {"requests": 2, "window_seconds": 5}}'
    curl $C/revoke/ -d '{"key": "api_slow.1"}'
    curl $C/organizations/orga_demo/tokens/ -d '{"client_id": "oa2client_demo"}'
    curl $C/organizations/orga_demo/types/ -d '{"name": "Contract", "date_created": "2020-08-07T15:18:33"}'

What an organization may, and how it differs from the others (``null`` takes a switch of its own away again):

    curl $C/organizations/orga_demo/ -X PATCH -d '{"has_custom_objects": true, "may_customize": true}'
    curl $C/organizations/orga_demo/ -X PATCH -d '{"max_types": 9, "rate_limit": {"requests": 500}}'
    curl $C/organizations/orga_demo/ -X PATCH -d '{"roles": {"role_1": "Sales Manager"}}'
    curl $C/organizations/orga_demo/ -X PATCH -d '{"switches": {"list_lag_seconds": 0, "dates": "offset"}}'
    curl $C/switches/ -X PATCH -d '{"rate_limit_header": "semicolons", "duplicate_names": "accepted"}'

Faults. Unless told otherwise one strikes the next POST to ``custom_object_type``, once. ``times`` null is for ever,
``skip`` lets some pass, ``method`` may be ``*``, ``path`` is a glob below ``/api/v1/``, ``type_name`` is compared
folded; ``parameters`` differ by fault. A fault that works first (``create_then_…``) strikes only what Close would not
have refused, and takes ``list_lag_seconds`` too:

    curl $C/faults/ -d '{"name": "create_then_hang_up", "organization": "orga_demo", "type_name": "Invoice"}'
    curl $C/faults/ -d '{"name": "create_then_408", "skip": 1, "parameters": {"list_lag_seconds": 3}}'
    curl $C/faults/ -d '{"name": "429", "method": "GET", "times": 2, "parameters": {"header": "legacy", "reset": 0.2}}'
    curl "$C/faults/?organization=orga_demo"
    curl $C/faults/ -X DELETE

Chaos. Whether a request is struck depends on the seed, the organization's name, the method, the path, the type's name
and how many such requests came before, and on nothing else: threads may interleave as they like. Orders go first:

    curl $C/chaos/ -X PUT -d '{"seed": 7, "probability": 0.3, "mix": {"create_then_408": 2, "503_before": 1}}'
    curl $C/chaos/ -X PUT -d '{"seed": 7, "probability": 1, "mix": ["slow"], "times": 9, "times_each": 2}'

What happened. The state holds types that the list does not show, and how many share a name. The log holds of a key
its end only. The counts under ``fired`` rise when a fault strikes, in one step with what it does:

    curl "$C/state/?organization=orga_demo"
    curl "$C/requests/?method=POST"
    curl $C/reset/ -d '{"only": ["faults", "requests", "types", "switches"]}'
    curl $C/reset/ -X POST

``GET /_control/`` lists every route, control call, fault with its parameters, and switch with its values.
"""

from infra.simulator.control.client import ControlError, Remote
from infra.simulator.options import Switches
from infra.simulator.server import CloseSimulator

__all__ = ["CloseSimulator", "ControlError", "Remote", "Switches"]
