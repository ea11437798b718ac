"""``python -m close_provisioner``."""

from close_provisioner.main import main

main()
