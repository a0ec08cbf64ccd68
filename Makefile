# The project's commands. `make` alone lists them.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test check lint unit chaos bench docs lock clean

BIN := .venv/bin
# The first interpreter that the project supports. Override: make PYTHON=/path/to/python3.12 test
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUPPORTED)' >/dev/null 2>&1 && echo $$p && break; done)
# Test files run side by side on this many processes; 0 runs them in this one.
PYTEST_WORKERS ?= 2
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## Make .venv with the locked dependencies and this project

.venv/.locked: requirements/dev.txt
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c '$(SUPPORTED)'; then \
		echo "This project needs Python 3.11, 3.12 or 3.13; '$(or $(PYTHON),python3)' is not." \
			"Name one: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)" >&2; exit 1; fi
	@echo "Setting up .venv with $$($(PYTHON) --version) (a minute or two, once)"
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

# Without build isolation: hatchling comes from the lock too.
.venv/.installed: .venv/.locked pyproject.toml
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Run the support desk on Celery, live
	@$(BIN)/orchestrator demo

test: lint docs ## Everything: static checks, documentation, all tests
	@$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder

check: lint unit ## Static checks and unit tests, in under a minute

lint: setup
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

unit: setup
	@$(BIN)/pytest -q -m "not slow" tests/unit

# make CHAOS_RUNS=100 chaos: a shorter round.
CHAOS_RUNS ?= 500
chaos: setup ## Kill workers and the server under hundreds of runs, and print what came of them
	@$(BIN)/pytest tests/chaos --chaos-runs=$(CHAOS_RUNS)

bench: setup ## Measure throughput, latency and CPU beside the baselines
	@$(BIN)/python -m benchmarks

docs: setup ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: setup ## Resolve the dependencies anew into requirements/
	@$(LOCK) --upgrade --all-extras --group dev --output-file requirements/dev.txt
	@$(LOCK) --upgrade --extra flower --constraint requirements/dev.txt --output-file requirements/runtime.txt
	@git diff --stat -- requirements

clean: ## Remove .venv and everything generated
	@rm -rf .venv build dist site .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
