PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := $(VENV)-bench/bin
BENCH_READY := $(VENV)-bench/.ready
REVISIONS ?= HEAD~1 HEAD

STORE ?= file:data
LISTEN ?= 127.0.0.1:50051

.PHONY: help setup serve test soak bench bench-quick bench-growth bench-workers bench-profile bench-compare check format lint types protos check-protos clean
.DEFAULT_GOAL := help

help: ## Show what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make the virtual environment with everything that the other targets need

serve: setup ## Run the server on its embedded default (STORE=file:data LISTEN=127.0.0.1:50051)
	$(BIN)/sessionstore serve --store $(STORE) --listen $(LISTEN)

test: setup ## Run all tests, on all cores (ARGS="-k name" picks some)
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

soak: setup ## Kill servers under load, 200 rounds (SOAK="--store sqlite --servers 2")
	$(BIN)/python -m tests.system.soak --rounds 200 $(SOAK)

bench: $(BENCH_READY) ## Measure everything, beside an echo and others, in about forty minutes
	$(BENCH)/python -m bench run

bench-quick: $(BENCH_READY) ## Measure what matters most
	$(BENCH)/python -m bench quick

bench-growth: $(BENCH_READY) ## Watch the memory of a server over an hour of mixed load (GROWTH="--store file --minutes 10")
	$(BENCH)/python -m bench growth $(GROWTH)

bench-workers: $(BENCH_READY) ## Measure what more worker processes of a server bring
	$(BENCH)/python -m bench workers

bench-profile: $(BENCH_READY) ## Show where a server's time goes (PROFILE="--store file --case load --output load.svg")
	$(BENCH)/python -m bench profile $(PROFILE)

bench-compare: $(BENCH_READY) ## Compare two revisions (REVISIONS="v0.1.0 HEAD")
	$(BENCH)/python -m bench compare $(REVISIONS)

check: lint types check-protos test ## Everything that must hold: format, lint, types, protos, tests

format: setup ## Format the code and sort imports
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .
	$(BIN)/buf format --write protos

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

protos: setup ## Generate the stubs from protos/
	$(BIN)/python protos/generate.py

check-protos: setup
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/buf lint protos
	$(BIN)/python protos/check_breaking.py

clean: ## Remove the virtual environments and all caches
	rm -rf $(VENV) $(VENV)-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(BENCH_READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)-bench
	$(BENCH)/python -m pip install --quiet --upgrade pip
	$(BENCH)/python -m pip install --quiet --editable '.[bench]'
	@touch $@
