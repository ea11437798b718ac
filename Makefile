# Everything is installed into folders of this project, pinned: uv and the tools into .tools/, the project's own packages
# into .venv/. `make` alone lists the commands.

ENV ?= dev

SHELL := /bin/sh
TOOLS := .tools
UV := $(TOOLS)/uv/bin/uv
PYTHON := .venv/bin/python
QUIET := @infra/tools/run-quiet

export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_INSTALL_DIR := $(CURDIR)/$(TOOLS)/python
export SAM_CLI_TELEMETRY := 0
# Where it is set, every tool compiles all of its Python files at every start.
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV

.PHONY: help run send key allow sources test bench load faults chaos check docs deploy artifact simulator acceptance install pins clean check-code check-template
.DEFAULT_GOAL := help
# One target after the other, whatever -j says; only the halves of `make check` run side by side.
ifndef HALVES
.NOTPARALLEL:
endif

help: ## list these commands
	@awk -F ':.*## ' '\
	  BEGIN { print "Close Provisioner: creates Custom Object Types in Close CRM exactly once." } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z]+:.*## / { split($$2, text, " [|] "); printf "  make %-10s %s\n", $$1, text[1]; \
	    if (text[2]) printf "                    %s\n", text[2] } \
	  END { print "\nEvery command installs what it needs into this folder first. README.md has the quick start." }' \
	  $(firstword $(MAKEFILE_LIST))

##@ Use it

run: .venv/.installed $(TOOLS)/sam/.installed $(TOOLS)/ministack/.installed ## start the whole stack on this machine, send the examples, and serve until Ctrl-C | ONCE=1: end after the examples; PORT=0: any free port; more in docs/reference/commands.md
	@$(PYTHON) -m infra.local run

send: .venv/.installed ## send a signed webhook to the stack of make run, and show its outcome | SOURCE=github TENANT=acme: another sender or tenant; AGAIN=1: twice; TAMPER=1: changed
	@$(PYTHON) -m infra.local send

key: .venv/.installed ## make an API key for a tenant in the simulated Close of make run, and print it | TENANT=initech: the tenant
	@$(PYTHON) -m infra.local key

allow: .venv/.installed ## let a tenant of the simulated Close create types: raise its plan, give its role the permission | TENANT=hooli: the tenant
	@$(PYTHON) -m infra.local allow

install: .venv/.installed $(TOOLS)/sam/.installed $(TOOLS)/ministack/.installed $(TOOLS)/microburst/.installed $(TOOLS)/checkov/.installed $(TOOLS)/docs/.installed ## install every tool at once

clean: ## remove what was built; installed tools stay. Refused while a stack is running
	@! [ -x $(PYTHON) ] || $(PYTHON) -m infra.local clean  # without it, no stack can be up
	rm -rf .local .aws-sam .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find functions infra cli tests -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Check it

TRANSLATED := .local/checks/translated.json

check: .venv/.installed $(TOOLS)/sam/.installed $(TOOLS)/checkov/.installed ## format, lint, spelling, types, imports, sources, template and policies
	@$(MAKE) --no-print-directory --output-sync=line -j 2 HALVES=1 check-code check-template

check-code:
	$(QUIET) "checking the format" .venv/bin/ruff format --check .
	$(QUIET) "checking for mistakes (ruff)" .venv/bin/ruff check .
	$(QUIET) "checking the spelling (codespell)" .venv/bin/codespell
	$(QUIET) "checking the types (mypy)" .venv/bin/mypy functions infra cli tests
	$(QUIET) "checking the imports (import-linter)" env PYTHONPATH=functions:cli .venv/bin/lint-imports
	$(QUIET) "checking the sources" $(PYTHON) -m infra.build.sources

check-template:
	$(QUIET) "checking the template (sam validate)" $(TOOLS)/sam/bin/sam validate --region us-east-1
	$(QUIET) "checking the template (cfn-lint)" $(TOOLS)/sam/bin/cfn-lint template.yaml infra/monitoring.yaml
	$(QUIET) "translating the template" $(TOOLS)/sam/bin/python infra/checks/translate.py template.yaml $(TRANSLATED)
	$(QUIET) "checking the translated template (cfn-lint)" $(TOOLS)/sam/bin/cfn-lint $(TRANSLATED)
	$(QUIET) "checking the translated template by AWS's rules" $(PYTHON) -m infra.checks.aws_rules $(TRANSLATED)
	$(QUIET) "checking the policies (checkov)" $(TOOLS)/checkov/bin/checkov --config-file infra/checks/checkov.yaml

sources: .venv/.installed ## check every source of functions/sources against its fixtures, and show the resulting requests
	@$(PYTHON) -m infra.build.sources

test: $(TOOLS)/ministack/.installed $(TOOLS)/microburst/.installed $(TOOLS)/browser/.installed check ## every check and every test, as CI runs them
	@$(PYTHON) -m tests.suite

bench: .venv/.installed $(TOOLS)/sam/.installed ## measure start-up, warm requests, batches, size and growth (a quarter of an hour)
	@$(PYTHON) -m tests.bench

load: .venv/.installed $(TOOLS)/sam/.installed $(TOOLS)/ministack/.installed ## 5,000 mixed requests through every entry point of a stack on this machine (several minutes) | COUNT=500: fewer
	@$(PYTHON) -m tests.load $(if $(COUNT),--count $(COUNT))

faults: .venv/.installed $(TOOLS)/sam/.installed $(TOOLS)/ministack/.installed $(TOOLS)/microburst/.installed ## the fault matrix, real kills and chaos runs, for this service and a baseline handler (over an hour) | CASES=500: a part of the matrix
	@$(PYTHON) -m tests.simulation $(if $(CASES),--cases $(CASES))
	@$(PYTHON) -m tests.simulation.interleavings $(if $(CASES),--orders $(CASES))
	@$(PYTHON) -m tests.fuzz $(if $(CASES),--inputs $(CASES))

chaos: .venv/.installed $(TOOLS)/sam/.installed $(TOOLS)/ministack/.installed $(TOOLS)/microburst/.installed ## one chaos run on the local stack | SEED=7: repeat a run; BASELINE=1: the baseline handler
	@$(PYTHON) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(filter 1,$(BASELINE)),--baseline)

docs: $(TOOLS)/docs/.installed ## build the documentation site into .local/site; a dead link fails
	$(QUIET) "building the documentation (zensical)" env NO_COLOR=1 $(TOOLS)/docs/bin/zensical build --strict

##@ Release it

PINNED := uv sam ministack checkov microburst docs

pins: $(TOOLS)/uv/.installed ## update every pinned version (infra/tools/*.in lists the tools)
	$(UV) lock --upgrade
	$(UV) export -q --locked --only-group functions --no-emit-project --no-header --format requirements-txt -o functions/requirements.txt
	for tool in $(PINNED); do $(UV) pip compile -q --upgrade --universal --python-version 3.13 --generate-hashes --no-header \
	  --no-annotate infra/tools/$$tool.in -o infra/tools/$$tool.txt || exit 1; done

artifact: .venv/.installed $(TOOLS)/sam/.installed ## build what a release publishes into .local/release: the functions, their bill of materials, checksums
	$(TOOLS)/sam/bin/sam build --config-env prod
	rm -rf .local/release && mkdir -p .local/release
	cd .aws-sam/build && $(CURDIR)/$(PYTHON) -m zipfile -c $(CURDIR)/.local/release/close-provisioner.zip *
	$(PYTHON) -m infra.release.bill_of_materials > .local/release/sbom.cyclonedx.json
	cd .local/release && sha256sum close-provisioner.zip sbom.cyclonedx.json > SHA256SUMS

deploy: .venv/.installed $(TOOLS)/sam/.installed ## build, and deploy to AWS | ENV=dev or ENV=prod, see samconfig.toml
	$(TOOLS)/sam/bin/sam build --config-env $(ENV)
	$(TOOLS)/sam/bin/sam deploy --config-env $(ENV)

simulator: .venv/.installed $(TOOLS)/sam/.installed ## deploy the simulated Close as a Lambda function, for acceptance
	$(TOOLS)/sam/bin/sam build --template infra/simulator/template.yaml --build-dir .aws-sam/simulator
	$(TOOLS)/sam/bin/sam deploy --template-file .aws-sam/simulator/template.yaml --stack-name close-provisioner-simulator \
	  --resolve-s3 --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset

acceptance: .venv/.installed $(TOOLS)/sam/.installed $(TOOLS)/ministack/.installed ## judge a deployed stack that calls the simulated Close | STACK=close-provisioner-dev: its name; without: a stack on this machine
	@$(PYTHON) -m infra.acceptance $(STACK)

# ---- Installing -------------------------------------------------------------------------------------------------------
# A stamp is older than its pins when they have changed. uv then installs exactly the pinned versions.

$(TOOLS)/uv/.installed: infra/tools/uv.txt
	$(QUIET) "installing uv" infra/tools/install-uv $(TOOLS)/uv $<
	@touch $@

.venv/.installed: $(TOOLS)/uv/.installed pyproject.toml uv.lock .python-version
	$(QUIET) "installing the project's packages" $(UV) sync --locked
	@touch $@

$(TOOLS)/browser/.installed: infra/tools/install-browser
	$(QUIET) "finding Chromium" infra/tools/install-browser
	@mkdir -p $(@D) && touch $@

NAME_sam := the SAM CLI
NAME_ministack := ministack, the local AWS
NAME_microburst := microburst
NAME_checkov := checkov
NAME_docs := zensical, which builds the documentation

$(TOOLS)/%/.installed: infra/tools/%.txt .python-version $(TOOLS)/uv/.installed
	$(QUIET) "installing $(NAME_$*)" infra/tools/install-tool $(UV) $(TOOLS)/$* $<
	@touch $@
