"""SnapStart: what a function does before its snapshot is taken, and after each time that it is restored.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html. Many functions continue from one
snapshot, hours later. So nothing may survive that is a connection, a credential, a secret, a time or a random state.
All of that belongs to the handler's dependencies, which are made again. The clients of AWS are kept, without their
connections.
"""

import os
import random
import ssl
from functools import _lru_cache_wrapper
from typing import Any

from provisioner.aws import Clients, keep_clients


def hold_in_snapshot(made: "_lru_cache_wrapper[Any]") -> None:
    """Make the dependencies before the snapshot, which loads all code and data. Make them again after each restore."""
    # Lambda has this module, and no other environment needs it.
    from snapshot_restore_py import (  # type: ignore[import-untyped]  # noqa: PLC0415
        register_after_restore,
        register_before_snapshot,
    )

    clients = keep_clients()
    register_before_snapshot(made)
    register_after_restore(renew, made, clients)


def renew(made: "_lru_cache_wrapper[Any]", clients: Clients) -> None:
    """Replace everything that must not survive a snapshot."""
    random.seed()  # of the pauses before repeated calls
    ssl.RAND_add(os.urandom(32), 32)  # of TLS; Lambda renews it too
    clients.close_connections()
    made.cache_clear()
    made()
