# What `sam build` runs for each function (BuildMethod: makefile). SAM tells neither where the project is nor the
# architecture, so template.yaml's ContextPath picks the Makefile of the architecture, and this file finds the project by
# its own place. The project's own environments are preferred, since a bare `python3.13` need not be on the PATH.

PROJECT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))../..)

build-%:
	@cd "$(PROJECT)" \
	&& for python in .venv/bin/python .tools/sam/bin/python python3.13; do \
	       if command -v "$$python" >/dev/null; then break; fi; \
	   done \
	&& "$$python" -m infra.build.artifact "$(ARCHITECTURE)" "$(ARTIFACTS_DIR)"
