"""What the service costs, measured: ``python -m tests.bench``. Each table names its method; ceilings are asserted."""
