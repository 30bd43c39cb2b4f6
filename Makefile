SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 3000
STORM_SECONDS ?= 60
FUZZ_CASES ?= 20000
REPEAT ?= 20
BENCHMARKS := bench-yield bench-decode bench-ledger bench-overhead bench-scale bench-ui bench-sales bench-metrics
WHOLE := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)  # what each of two says is shown when it ends
BIN := .venv/bin

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

bench:  ## all benchmarks, also after one that misses a target; it takes hours
	@$(MAKE) --no-print-directory --keep-going $(BENCHMARKS)

bench-yield: .venv  ## tokens and what they brought: ours beside four others, on one simulated week
	$(BIN)/python benchmarks/token_yield.py

bench-decode: .venv  ## from the bytes of an answer to rows, against those who only decode
	$(BIN)/python benchmarks/decode_and_load.py

bench-ledger: .venv  ## tokens a second through one ledger, 1 and 8 processes, against PyrateLimiter
	$(BIN)/python benchmarks/ledger_throughput.py

bench-overhead: .venv  ## what the pipeline costs beyond Dagster: a run, loading, five minutes at rest
	$(BIN)/python benchmarks/dagster_overhead.py

bench-scale: .venv  ## tokens, time and memory a deal, with 10 000, 100 000 and 1 000 000 listed
	$(BIN)/python benchmarks/feed_scale.py

bench-ui: .venv  ## the web page under 5 000 materializations
	$(BIN)/python benchmarks/many_materializations.py

benchmarks-doc: .venv  ## write docs/benchmarks.md anew from what the benchmarks wrote
	@$(BIN)/python -m benchmarks.document

bench-sales: .venv  ## score the inferred sales against what the simulator knows
	$(BIN)/python benchmarks/inferred_sales.py

bench-metrics: .venv  ## measure how long all metrics take at 10 000 and at 100 000 deals
	$(BIN)/python benchmarks/metrics_recompute.py

days: .venv  ## two virtual days at 5 tokens a minute, with faults and crashes; SEED=1 picks the world
	VIRTUAL_HOURS=48 SEED=$(SEED) $(BIN)/pytest -s --show-capture=no deals_pipeline_tests/test_days.py

storm: .venv  ## eight processes on one ledger for 60 s, some of them killed; STORM_SECONDS=600 picks how long
	LEDGER_STORM_SECONDS=$(STORM_SECONDS) $(BIN)/pytest -s deals_pipeline_tests/token_bucket/test_ledger_storm.py

soak: .venv  ## 30 virtual days in 20 worlds with every fault and kills; SEED=1 SEEDS=2 DAYS=5 picks which
	$(BIN)/python -m deals_pipeline_tests.soak --seed $(or $(SEED),1) --seeds $(or $(SEEDS),20) --days $(or $(DAYS),30)

crash-matrix: .venv  ## repeat the crash tests under load; REPEAT=20 picks how often
	$(BIN)/python benchmarks/crash_matrix.py $(REPEAT)

fuzz: .venv  ## damaged answers and settings; FUZZ_CASES=20000 picks how many
	FUZZ_CASES=$(FUZZ_CASES) $(BIN)/pytest -q --hypothesis-show-statistics deals_pipeline_tests/fuzz

mutants: .venv  ## break the code in every listed way, in a copy, and say which test notices
	$(BIN)/python -m deals_pipeline_tests.mutants

failure-modes: .venv  ## write docs/failure_modes.md anew: which test guards what
	@$(BIN)/python -m deals_pipeline_tests.failure_table > docs/failure_modes.md

audit: .venv  ## known vulnerabilities of the locked versions, and whether they fit together
	@$(PYTHON) -m venv .audit && .audit/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip-audit
	$(BIN)/python -m deals_pipeline_tests.security.audit .audit/bin/pip-audit requirements.lock
	@.audit/bin/python -m pip --disable-pip-version-check --python $(BIN)/python check

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
	rm -rf .venv .audit .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist

.PHONY: help demo dev status data-doc home test test-daemons test-rest simulate bench $(BENCHMARKS) benchmarks-doc days storm soak crash-matrix fuzz mutants failure-modes audit check format simulator lock clean
