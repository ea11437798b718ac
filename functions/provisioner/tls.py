"""The TLS context that all connections of a function share, to AWS and to Close alike."""

import ssl
from functools import cache
from pathlib import Path

import certifi


@cache
def shared_context() -> ssl.SSLContext:
    """Return the context, which trusts certifi's roots.

    A built artifact has a file for each root, named by the hash of its subject, so that a handshake reads those that it
    needs. Elsewhere, and for any context of its own, a connection would parse the file of all roots: 27 ms of CPU.
    """
    bundle = Path(certifi.where())
    roots = bundle.with_name("roots")
    return ssl.create_default_context(capath=roots) if roots.is_dir() else ssl.create_default_context(cafile=bundle)
