# Two commands set Plumbline up on a machine that has Python 3.11+ and make:
#   make run    the service on sample data, in an environment of its own
#   make test   every check; installs what the checks need
# PYTHON=/path/to/python names another interpreter; ARGS="..." goes to plumbline demo or to pytest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
ARGS ?=

# A stamp carries the folder's name: in a copied or moved tree the environment is made anew.
HERE := $(shell printf %s "$(CURDIR)" | cksum | cut -d' ' -f1)
INSTALLED_RUN := .venv/installed-run-$(HERE)
INSTALLED_TEST := .venv/installed-test-$(HERE)
INSTALLED_BENCH := .venv-bench/installed-$(HERE)
WHAT_TO_INSTALL := pyproject.toml constraints.txt setup/environment

.PHONY: help run test services lint format typecheck dashboards bench bench-detection bench-stream bench-scenarios pins clean

help:
	@echo "make run        start the service on sample data"
	@echo "make test       run every check (formatting, lint, types, import rules, tests)"
	@echo "make lint       check formatting, lint and import rules"
	@echo "make format     format and fix what can be fixed"
	@echo "make typecheck  check the types"
	@echo "make dashboards build the JSON of Grafana's dashboards (deploy/grafana)"
	@echo "make bench      measure, and write the results to docs/performance.md"
	@echo "make bench-scenarios  replay every simulated scenario; results to docs/detection.md"
	@echo "make bench-stream  measure the distributed mode and its peers; results to docs/performance.md"
	@echo "make bench-detection  measure the change detectors, into docs/detection.md (about 15 minutes; ARGS=--quick: 1)"
	@echo "make pins       resolve constraints.txt anew"
	@echo "make clean      remove the environment, caches and sample data"

$(INSTALLED_RUN): $(WHAT_TO_INSTALL)
	@PYTHON="$(PYTHON)" setup/environment run
	@touch $@

$(INSTALLED_TEST): $(WHAT_TO_INSTALL)
	@PYTHON="$(PYTHON)" setup/environment test
	@touch $@ $(INSTALLED_RUN)

# By the interpreter of .venv, so that all that is measured runs on the same one.
$(INSTALLED_BENCH): $(INSTALLED_TEST) bench/stream/constraints.txt
	@setup/bench-environment
	@touch $@

run: $(INSTALLED_RUN)
	@exec $(BIN)/plumbline demo $(ARGS)

# pytest comes last, so that its closing line is the last thing to read.
test: $(INSTALLED_TEST) services lint typecheck
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

services:
	@setup/services

lint: $(INSTALLED_TEST)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

format: $(INSTALLED_TEST)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

typecheck: $(INSTALLED_TEST)
	$(BIN)/mypy

dashboards: $(INSTALLED_TEST)
	$(BIN)/python -m deploy.grafana.build

bench: $(INSTALLED_TEST)
	$(BIN)/python -m bench $(ARGS)

bench-scenarios: $(INSTALLED_TEST)
	$(BIN)/python -m bench.scenarios --write docs/detection.md $(ARGS)

bench-stream: $(INSTALLED_BENCH) services
	.venv-bench/bin/python -m bench.stream --write docs/performance.md $(ARGS)

bench-detection: $(INSTALLED_TEST)
	$(BIN)/python -m bench.detection --page docs/detection.md $(ARGS)

pins:
	@PYTHON="$(PYTHON)" setup/pins

clean:
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .plumbline-demo dist
	find bench deploy detectors schemas streams tests -name __pycache__ -type d -prune -exec rm -rf {} +
