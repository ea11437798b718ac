# What `sam build` runs for each function (BuildMethod: makefile). SAM tells neither the working copy nor the architecture,
# so template.yaml's ContextPath picks the Makefile of the architecture, and this file finds the project by its own place.
# The project's own environment is preferred, since a bare `python3.13` need not be on the PATH.

PROJECT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))../..)

build-%:
	@cd "$(PROJECT)" \
	&& python=.venv/bin/python && { [ -x "$$python" ] || python=python3.13; } \
	&& "$$python" -m infra.build.artifact "$(ARCHITECTURE)" "$(ARTIFACTS_DIR)"
