# `make help` lists the words; each is one intent.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Hundreds of processes are started here: each would compile all of LEAP anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# pip compiles on one core; a file that is no Python of this version is no harm, as with pip.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "LEAP needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Making the environment in $(VENV); the first time takes a few minutes."
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: on Debian, install python3-venv." >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

env: $(READY) ## Make the virtual environment

demo: $(READY) ## The main job on a real recording: ingest, trim, transcribe, topics, subtitles
	@$(BIN)/leap demo

up: $(READY) ## Start PostgreSQL, Dagster and all that belongs to LEAP; Ctrl-C stops it
	@$(BIN)/leap up

# One more than there are cores: a third of the time the tests wait for processes and clocks.
test: $(READY) ## Every test, several at once; PYTEST_ARGS="-k name" for some
	@$(BIN)/python -m pytest -n $$(( $$(getconf _NPROCESSORS_ONLN) < 4 ? $$(getconf _NPROCESSORS_ONLN) + 1 : 4 )) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: $(READY) ## ruff, mypy strict, import rules, the asset graph
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --num-workers auto
	@$(BIN)/python -m pytest -q tests/unit/test_imports.py tests/unit/test_asset_graph.py

format: $(READY) ## Write the code the way ruff wants it
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

init-db: $(READY) ## Create the database and migrate it
	@$(BIN)/leap db upgrade

migrate: $(READY) ## Apply the migrations
	@$(BIN)/leap db upgrade

migrate-down: $(READY) ## Take back the last migration
	@$(BIN)/leap db downgrade

db-version: $(READY) ## The database's revision
	@$(BIN)/leap db current

db-history: $(READY) ## All migrations
	@$(BIN)/leap db history

recreate-db: $(READY) ## Delete the database with all its data and make it anew; asks first
	@$(BIN)/leap db recreate

bench-overhead: $(READY) ## What Dagster itself costs a recording
	@$(BIN)/python -m benchmarks.overhead

bench-scale: $(READY) ## Lists, searches and counts at 10,000, 100,000 and 1,000,000 recordings; takes a while
	@$(BIN)/python -m benchmarks.scale

bench-matching: $(READY) ## Template matching against a plain loop of Python's re
	@$(BIN)/python -m benchmarks.matching

bench-clockwork: $(READY) ## Automations in a living leap up: phase over restarts, 1,000 and 10,000 jobs; takes an hour
	@$(BIN)/python -m benchmarks.clockwork phase
	@$(BIN)/python -m benchmarks.clockwork many
	@$(BIN)/python -m benchmarks.clockwork dispatcher

bench-ticks: $(READY) ## Ticks of the sensors at 1,000, 10,000 and 100,000 partitions
	@$(BIN)/python -m benchmarks.ticks

bench-limits: $(READY) ## Drill: users' limits and fair shares in a running queue
	@$(BIN)/python -m benchmarks.limits

bench-chaos: $(READY) ## Drill: kill -9 at random under load; MINUTES=30
	@$(BIN)/python -m benchmarks.chaos --minutes $(or $(MINUTES),30)

bench-download: $(READY) ## Downloads from nginx: memory, speed beside curl, connections, kills
	@$(BIN)/python -m benchmarks.download

bench-poll: $(READY) ## A thousand sources in one tick; 100,000 known recordings read again
	@$(BIN)/python -m benchmarks.poll

bench-zoom-truth: $(READY) ## 10,000 generated Zoom accounts synced and compared with the truth; takes long, goes on where it was ended
	@$(BIN)/python -m benchmarks.zoom_truth --journal .leap/zoom-lives.jsonl

bench-publish: $(READY) ## Drill: workers of uploads killed at every point, 100 seeds, and each point in a real run; long, goes on where it was ended
	@$(BIN)/python -m benchmarks.publish --journal .leap/publish-kills.jsonl
	@$(BIN)/python -m benchmarks.publish_runs --journal .leap/publish-runs.jsonl

bench-upload: $(READY) ## A resumable upload of 2 GB: memory, and speed beside curl -T
	@$(BIN)/python -m benchmarks.upload

bench-refresh: $(READY) ## Ten workers under tokens of two seconds: no family may be revoked
	@$(BIN)/python -m benchmarks.refresh

bench-together: $(READY) ## Uploads that a platform turned away together: when they come back
	@$(BIN)/python -m benchmarks.together

bench-console: $(READY) ## The recordings page at 1,000,000 recordings: reruns, 50 sessions, memory
	@$(BIN)/python -m benchmarks.console

lock: $(READY) ## Resolve the dependencies again into requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --upgrade --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header --output-file requirements.lock

clean: ## Remove the environment and the caches, never the data
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info

.PHONY: help env demo up test check format init-db migrate migrate-down db-version db-history recreate-db bench-overhead bench-scale bench-matching bench-poll bench-clockwork bench-ticks bench-limits bench-chaos bench-download bench-zoom-truth bench-publish bench-upload bench-refresh bench-together bench-console lock clean
