# Verbs for people and CI alike. `make demo` and `make test` need Python 3.11, git and make, and nothing else.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := $(CURDIR)/.venv/bin
# Node comes as a wheel: the environment's own programs go first.
export PATH := $(BIN):$(PATH)
export HF_HUB_DISABLE_XET := 1
ENVIRONMENT ?= dev
CDK := node node_modules/aws-cdk/bin/cdk
REQUIREMENTS := $(wildcard requirements*.txt */requirements*.txt) constraints.txt pyproject.toml package-lock.json

.PHONY: env demo test lint types unit system synth package deploy bench simulate clean
.DEFAULT_GOAL := demo

env: .venv/complete  ## the environment alone, in .venv

.venv/complete: $(REQUIREMENTS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed: make PYTHON=/path/to/python3.11")'
	@echo "Installing the environment into .venv (about three minutes the first time)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --progress-bar on --constraint constraints.txt --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	npm ci --no-audit --no-fund --loglevel=error
	touch $@

demo: env  ## set everything up and triage complaints; DATA=FILE triages a CFPB export
	$(BIN)/triage demo $(if $(DATA),--data "$(DATA)") $(if $(COUNT),--count $(COUNT))

test: env lint types  ## everything that CI checks
	$(BIN)/pytest

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: env
	$(BIN)/mypy

unit: env  ## without the deployed machine
	$(BIN)/pytest -m "not system"

system: env  ## on the deployed machine alone
	$(BIN)/pytest -m system

synth: env  ## the templates of ENVIRONMENT, without credentials, network or Docker
	$(CDK) synth --quiet --context environment=$(ENVIRONMENT)

package: env  ## the Lambda layers, cross-built for arm64
	$(BIN)/python -m stacks.layers

deploy: package  ## deploy ENVIRONMENT to AWS, with the shell's credentials
	$(CDK) deploy --all --context environment=$(ENVIRONMENT)

bench: env  ## a table of ratios against transformers.pipeline
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.inference
	$(BIN)/python -m benchmarks.explanation $(if $(DATA),--data "$(DATA)")

simulate: env  ## how often the promotion engine is wrong, and how soon it is right
	$(BIN)/python -m benchmarks.promotion

clean:  ## stop the embedded AWS and remove everything that was built or stored
	if [ -x $(BIN)/triage ]; then $(BIN)/triage down --wipe; fi
	rm -rf .venv node_modules build cdk.out .triage *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
