# make lab: open the course.  make test: prove the whole of it.  Each makes its environment in .venv when it is not there.

PYTHON ?= $(firstword $(foreach python,python3.13 python3.12 python3.11 python3,$(if $(shell $(python) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo yes),$(python))))
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: lab test test-fast test-untouched test-solutions lint build lock clean

lab: .venv/labs-installed
	@$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/labs/00_start_here.ipynb $(JUPYTER_FLAGS)

test: lint
	@$(BIN)/python -m pytest -n 2 --maxschedchunk=1 -m "not alone"
	@$(BIN)/python -m pytest -m alone

test-fast: lint
	@$(BIN)/python -m pytest -n 2 --maxschedchunk=1 -m "not slow and not alone"
	@$(BIN)/python -m pytest -m "alone and not slow"

test-untouched: .venv/tests-installed
	@$(BIN)/python -m pytest -m untouched

test-solutions: .venv/tests-installed
	@$(BIN)/python -m pytest -m solutions

lint: .venv/tests-installed
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || (echo "run: $(BIN)/ruff format ."; false)

build: .venv/tests-installed
	@$(BIN)/python -m utils.course build

# The lock holds the exact versions that the tests run with.
lock: .venv/tests-installed
	@$(BIN)/python -m pip freeze --exclude-editable > requirements-lock.txt

.venv/python-ready:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and was not found; name it with: make PYTHON=/path/to/python $(MAKECMDGOALS)"; false; }
	@echo "making the environment .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/labs-installed: .venv/python-ready requirements.txt
	@echo "installing the packages of requirements.txt (a few minutes, once)"
	@$(PIP) -r requirements.txt
	@touch $@

.venv/tests-installed: .venv/python-ready requirements.txt requirements-dev.txt requirements-lock.txt
	@echo "installing the packages of requirements-dev.txt at the locked versions (a few minutes, once)"
	@$(PIP) -r requirements-dev.txt -c requirements-lock.txt
	@touch .venv/labs-installed $@

clean:
	rm -rf .venv data/cache
