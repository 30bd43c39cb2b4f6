SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 3000
BIN := .venv/bin

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv: requirements.lock pyproject.toml
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) .venv; \
	  uv pip install --quiet --python $(BIN)/python -r requirements.lock; \
	  uv pip install --quiet --python $(BIN)/python --no-deps --editable .; \
	else \
	  $(PYTHON) -m venv .venv; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	fi
	@touch .venv

demo: .venv  ## run the main job once, on the simulator unless KEEPA_API_KEY is set, and say what it found
	@$(BIN)/python -m deals_pipeline demo

dev: .venv  ## run the pipeline with its web page on 127.0.0.1:3000; PORT=3001 picks another port
	@$(BIN)/python -m deals_pipeline dev --port $(PORT)

home: .venv  ## print Dagster's home, for DAGSTER_HOME of plain dagster commands
	@$(BIN)/python -m deals_pipeline home

test: .venv  ## run the tests; those with real daemons come last, two at a time
	$(BIN)/pytest -n auto --ignore=deals_pipeline_tests/e2e
	$(BIN)/pytest -n 2 --dist worksteal deals_pipeline_tests/e2e

simulate: .venv  ## explore worlds of the token bucket; SEED=1 SEEDS=200 picks which
	SEED=$(SEED) SEEDS=$(SEEDS) $(BIN)/pytest -n auto deals_pipeline_tests/simulation

bench-load: .venv  ## measure how long the definitions take to load
	$(BIN)/python benchmarks/definitions_load.py

days: .venv  ## two virtual days at 5 tokens a minute, with faults and crashes; SEED=1 picks the world
	VIRTUAL_HOURS=48 SEED=$(SEED) $(BIN)/pytest -s --show-capture=no deals_pipeline_tests/test_days.py

storm: .venv  ## eight processes on one ledger for 60 s, some of them killed
	LEDGER_STORM_SECONDS=60 $(BIN)/pytest -s deals_pipeline_tests/token_bucket/test_ledger_storm.py

check: .venv  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

simulator: .venv  ## serve a simulated Keepa on 127.0.0.1:8900
	$(BIN)/python -m deals_pipeline.simulator --port 8900

lock:  ## lock the newest versions that pyproject.toml admits (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.10 --no-annotate --no-header \
	  --no-emit-index-url pyproject.toml --group dev --output-file requirements.lock

clean:  ## remove the environment and all caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist

.PHONY: help demo dev home test simulate bench-load days storm check format simulator lock clean
