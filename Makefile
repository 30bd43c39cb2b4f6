SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 3000
STORM_SECONDS ?= 60
WHOLE := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)  # what each of two says is shown when it ends
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

status: .venv  ## say how the pipeline stands; the exit status says whether it progresses
	@$(BIN)/python -m deals_pipeline status

data-doc: .venv  ## write docs/data.md anew from the schema
	@$(BIN)/python -m deals_pipeline.warehouse.document > docs/data.md

home: .venv  ## print Dagster's home, for DAGSTER_HOME of plain dagster commands
	@$(BIN)/python -m deals_pipeline home

test: .venv  ## run the tests: those with real daemons mostly wait, and the others run meanwhile
	@$(MAKE) --no-print-directory --keep-going --jobs=2 $(WHOLE) test-daemons test-rest

test-daemons: .venv
	$(BIN)/pytest -n 2 --dist worksteal deals_pipeline_tests/e2e

test-rest: .venv
	nice -n 10 $(BIN)/pytest -n auto --dist worksteal --ignore=deals_pipeline_tests/e2e

simulate: .venv  ## explore worlds of the token bucket; SEED=1 SEEDS=200 picks which
	SEED=$(SEED) SEEDS=$(SEEDS) $(BIN)/pytest -n auto deals_pipeline_tests/simulation

bench-load: .venv  ## measure how long the definitions take to load
	$(BIN)/python benchmarks/definitions_load.py

bench-sales: .venv  ## score the inferred sales against what the simulator knows
	$(BIN)/python benchmarks/inferred_sales.py

bench-metrics: .venv  ## measure how long all metrics take at 10 000 and at 100 000 deals
	$(BIN)/python benchmarks/metrics_recompute.py

days: .venv  ## two virtual days at 5 tokens a minute, with faults and crashes; SEED=1 picks the world
	VIRTUAL_HOURS=48 SEED=$(SEED) $(BIN)/pytest -s --show-capture=no deals_pipeline_tests/test_days.py

storm: .venv  ## eight processes on one ledger for 60 s, some of them killed; STORM_SECONDS=600 picks how long
	LEDGER_STORM_SECONDS=$(STORM_SECONDS) $(BIN)/pytest -s deals_pipeline_tests/token_bucket/test_ledger_storm.py

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

.PHONY: help demo dev status data-doc home test test-daemons test-rest simulate bench-load bench-sales bench-metrics days storm check format simulator lock clean
