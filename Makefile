# The two commands of the project are `make run` and `make test`; `make help` lists the rest.
# Everything is installed into .venv from the locks in requirements/, nothing outside it is touched.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
PORT   ?= 8000

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check format bench train lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.default  ## virtual environment with the default install (no torch)
setup-dev: $(VENV)/.dev  ## adds the tools and extras that tests and training need

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.default: requirements/default.txt pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --requirement requirements/default.txt
	$(PIP) install --quiet --no-deps --editable .
	@touch $@

# torch first and alone: a pinned CPU build; asked for through a range it becomes gigabytes of CUDA.
$(VENV)/.dev: requirements/dev.txt requirements/torch.txt $(VENV)/.default
	$(PIP) install --quiet --requirement requirements/torch.txt $(TORCH_OPTIONS)
	$(PIP) install --quiet --requirement requirements/dev.txt
	@touch $@

run: setup  ## everything on the practice stand, console at http://127.0.0.1:8000
	$(BIN)/mcu up --practice --port $(PORT)

test: setup-dev  ## all tests; those that need a server run when it is there, else they are skipped by name
	$(BIN)/python -m pytest

check: setup-dev  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-dev  ## rewrites the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup-dev  ## all benchmarks; writes docs/performance.md
	$(BIN)/python -m tests.load

train: setup-dev  ## rebuilds the shipped models from ../shared/data
	$(BIN)/python -m nlp.training

lock: setup-dev  ## compiles requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile --quiet pyproject.toml --python-version 3.11 --no-header --no-annotate --output-file requirements/default.txt
	$(BIN)/uv pip compile --quiet pyproject.toml --extra dev --extra train --python-version 3.11 --no-header --no-annotate \
	  --constraint requirements/default.txt | grep -vE '^(nvidia-|cuda-|triton|torch==)' > requirements/dev.txt

clean:  ## removes the environment and caches; data/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info
