# Every command of the project. `make compare` and `make test` need nothing but Python and make:
# they create the environment, and install into it again only when the metadata or a pin changes.

PYTHON ?= python3
VENV ?= .venv
# Test processes side by side; each computes on one thread, so that they do not fight over the cores.
WORKERS ?= 2

BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help compare test test-slow coverage lint format docs benchmarks clean

help:  ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

compare: $(VENV)/.installed-compare  ## a network beside an SVM, a random forest and others, on digits
	$(BIN)/sknets compare digits

test: lint  ## lint, then the fast suite: tests, doctests, README blocks, examples at toy size
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

test-slow: $(VENV)/.installed-test  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

coverage: $(VENV)/.installed-test  ## the fast suite, and which lines it misses
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term --cov-report=html

lint: $(VENV)/.installed-test  ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.installed-test  ## put the code into the house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.installed-docs  ## the documentation, with the example gallery: docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

benchmarks: $(VENV)/.installed-test  ## every benchmark, one after the other
	@set -e; for script in $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(BIN)/python -m $$(echo $${script%.py} | tr / .); \
	done

clean:  ## remove what was built; the environment stays
	rm -rf build dist *.egg-info docs/_build docs/auto_examples docs/generated \
		docs/sg_execution_times.rst htmlcov .coverage .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# One stamp per extra of pyproject.toml; the versions, torch's too, come from constraints.txt. The
# tests hold networks against pytorchcv's, without what else it asks for.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -c constraints.txt -e '.[$*]'
	$(if $(filter test,$*),$(BIN)/python -m pip install --no-deps -c constraints.txt pytorchcv)
	@touch $@
