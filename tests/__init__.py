"""A package of its own, so that no installed one by this name comes first (paddle-python-sdk brings such a one)."""
