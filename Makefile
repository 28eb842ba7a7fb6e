# Every target sets itself up: git, make and Python 3.11+ with pip and venv are all it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
UV := 0.13.8

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint format bench fuzz serve build clean system

help:  ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "unlade needs Python 3.11 or newer; say which: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV)
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml uv.lock
	@echo "Installing what unlade needs ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv sync --quiet --frozen --inexact --no-default-groups --extra all
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Installing what the tests need ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv sync --quiet --frozen --inexact --extra all
	@touch $@

demo: $(VENV)/.run  ## import real files from a simulated FileMaker host, and show the result
	@$(PY) -m unlade demo --folder var/demo

test: $(VENV)/.dev system  ## all tests; installs PostgreSQL, Node.js and Chromium by apt-get when root
	$(PY) -m pytest -n 2 --dist loadfile

test-fast: $(VENV)/.dev  ## the tests that need no server and take no time
	$(PY) -m pytest -n 2 --dist loadfile -m "not slow and not real"

lint: $(VENV)/.dev  ## style, types, walls between the rooms, migrations, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	DJANGO_DEBUG=1 $(PY) manage.py makemigrations --check --dry-run
	$(PY) tools/write_docs.py --check

format: $(VENV)/.dev  ## write the style that lint asks for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## measure; the figures stand in docs/benchmarks.md
	$(PY) -m bench

fuzz: $(VENV)/.dev  ## 20,000 damaged database files: refused or salvaged, never wrong bytes said to be right
	$(PY) -m tests.fmp12.test_fuzz 20000

serve: $(VENV)/.run  ## the reference project's pages on http://127.0.0.1:8000
	DJANGO_DEBUG=1 $(PY) manage.py migrate -v0
	DJANGO_DEBUG=1 $(PY) manage.py runserver

build: $(VENV)/.dev  ## the package, tried out as it ships
	rm -rf dist
	VIRTUAL_ENV=$(VENV) $(BIN)/uv build --quiet
	tools/try-wheel $(PY)

system:
	@tools/system-packages

clean:  ## remove everything that the targets made
	rm -rf $(VENV) var dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
