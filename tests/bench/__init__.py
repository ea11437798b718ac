"""The cost of the service, measured: ``python -m tests.bench``. Each table names its method; ceilings are asserted."""
