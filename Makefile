# Verbs for people and CI alike. `make demo` and `make test` need Python 3.11, git and make, and nothing else.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := $(CURDIR)/.venv/bin
# Node comes as a wheel: the environment's own programs go first.
export PATH := $(BIN):$(PATH)
export HF_HUB_DISABLE_XET := 1
# Packages are installed without bytecode. Where none may be written, every command would compile its libraries anew.
unexport PYTHONDONTWRITEBYTECODE
ENVIRONMENT ?= dev
# What `make deploy` deploys, as the CDK command names it.
STACKS ?= --all
CDK := node node_modules/aws-cdk/bin/cdk
# The lock files name every package with its hashes, so pip need not resolve anything. Python compiles what it imports.
# Where pip finds no torch for processors alone, the build for GPUs serves, with gigabytes of libraries.
INSTALL := $(BIN)/pip install --quiet --progress-bar on --no-deps --no-compile --require-hashes --requirement
EDITABLE := --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
# MEASURED=yes keeps what the tests run in build/coverage; TESTS names files or folders.
PYTEST := $(if $(MEASURED),$(BIN)/python .ci/measure.py run,$(BIN)/pytest) $(TESTS)

.PHONY: env demo test lint audit types unit system coverage combined synth diff package deploy delivery bench soak simulate attack lock clean
.DEFAULT_GOAL := demo

env: .venv/complete  ## what `make demo` needs, in .venv

.venv/complete: requirements.lock requirements-cpu.lock requirements-cuda.lock pyproject.toml package-lock.json
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed: make PYTHON=/path/to/python3.11")'
	@echo "Installing the environment into .venv (about one minute the first time)"
	$(PYTHON) -m venv .venv
	$(INSTALL) requirements.lock
	$(INSTALL) requirements-cpu.lock 2>/dev/null || $(INSTALL) requirements-cuda.lock
	npm ci --no-audit --no-fund --loglevel=error & npm=$$!; $(BIN)/pip install --quiet $(EDITABLE) && wait $$npm
	touch $@

.venv/complete-for-tests: .venv/complete .venv/checkov/complete requirements-dev.lock
	$(INSTALL) requirements-dev.lock
	touch $@

.venv/checkov/complete: .venv/complete template_audit/requirements-checkov.lock
	$(PYTHON) -m venv .venv/checkov
	$(subst $(BIN),.venv/checkov/bin,$(INSTALL)) template_audit/requirements-checkov.lock
	touch $@

demo: env  ## set everything up and triage complaints; DATA=FILE triages a CFPB export
	$(BIN)/triage demo $(if $(DATA),--data "$(DATA)") $(if $(COUNT),--count $(COUNT))

test: .venv/complete-for-tests lint types  ## everything that CI checks
	$(BIN)/pytest

lint: .venv/complete-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/python -m template_audit --tools

audit: .venv/complete-for-tests  ## every offline check of the templates of dev and prod, in one table
	$(BIN)/python -m template_audit

types: .venv/complete-for-tests
	$(BIN)/mypy

unit: .venv/complete-for-tests  ## without the deployed machine
	$(PYTEST) -m "not system"

system: .venv/complete-for-tests  ## on the deployed machine alone
	$(PYTEST) -m system

coverage: .venv/complete-for-tests  ## all tests, and how much of each package they run
	rm -rf build/coverage
	$(BIN)/python .ci/measure.py run; tests=$$?; $(MAKE) --no-print-directory combined && exit $$tests

combined: .venv/complete-for-tests  ## the same table, from what parts of the tests have left in build/coverage
	$(BIN)/python .ci/measure.py report

synth: env  ## the templates of ENVIRONMENT, without credentials, network or Docker
	$(CDK) synth --quiet --context environment=$(ENVIRONMENT)

diff: package  ## what a deployment would change in ENVIRONMENT, with the shell's credentials
	$(BIN)/python .ci/diff.py show $(ENVIRONMENT)

package: env  ## the Lambda layers, cross-built for arm64
	$(BIN)/python -m stacks.layers

deploy: package  ## deploy ENVIRONMENT to AWS, with the shell's credentials
	$(CDK) deploy $(STACKS) --context environment=$(ENVIRONMENT)

delivery: env  ## the roles with which GitHub Actions of REPOSITORY deploys ENVIRONMENT; once for each
	$(CDK) deploy --all --app "$(BIN)/python delivery.py" --context repository=$(REPOSITORY) --context environment=$(ENVIRONMENT)

bench: .venv/complete-for-tests  ## a table of ratios against transformers.pipeline
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.inference
	$(BIN)/python -m benchmarks.near_duplicates
	$(BIN)/python -m benchmarks.explanation $(if $(DATA),--data "$(DATA)")

soak: .venv/complete-for-tests  ## COMPLAINTS while everything is killed, KILLS times all of it, and 10,000 odd inputs; takes hours
	$(BIN)/python -m benchmarks.soak $(if $(COMPLAINTS),--complaints $(COMPLAINTS)) $(if $(KILLS),--kills $(KILLS)); soak=$$?; \
	FUZZ_INPUTS=10000 $(BIN)/pytest tests/fuzz && exit $$soak

simulate: env  ## how often the promotion engine is wrong, and how soon it is right
	$(BIN)/python -m benchmarks.promotion

attack: .venv/complete-for-tests  ## attacks that once succeeded, against an embedded AWS of its own: what held
	$(BIN)/python -m tests.attack $(if $(ONLY),--only "$(ONLY)")

lock: env  ## write the lock files again, from the requirements*.txt files
	$(BIN)/python .ci/lock.py

clean:  ## stop the embedded AWS and remove everything that was built or stored
	if [ -x $(BIN)/triage ]; then $(BIN)/triage down --wipe; fi
	rm -rf .venv node_modules build cdk.out .triage *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
