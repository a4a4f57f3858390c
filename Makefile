# Everything happens in .venv/ beside this file; nothing else on the machine is touched.
PYTHON ?= python3
BIN := .venv/bin
# One thread per process: two test processes with two threads each fight over the cores.
TEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all lint benchmarks viewer clean

demo: .venv/installed
	$(BIN)/python examples/demo.py

test: .venv/developed lint
	$(TEST) -m "not slow and not gpu"

test-all: .venv/developed lint
	$(TEST)

lint: .venv/developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmarks: .venv/developed
	for name in startup projector simulation reprojection reduce folding prepare train_step runtimes viewer; do \
	  OMP_NUM_THREADS=1 $(BIN)/python benchmarks/$$name.py || exit 1; done

# The viewer's page, from frontend/ into the package. Needs Node 20; nothing else does.
viewer: frontend/node_modules
	cd frontend && npm run --silent check && npm run --silent build

frontend/node_modules: frontend/package-lock.json
	cd frontend && npm ci --silent
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable .
	touch $@

.venv/developed: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable ".[dev]"
	touch .venv/installed $@

clean:
	rm -rf .venv demo-out
