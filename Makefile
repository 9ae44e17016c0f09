# Two commands matter: `make demo` and `make test`. Both set up .venv first, once.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
STAMP := .venv/.srd-setup
RUN := . .venv/bin/activate &&
# One thread per process: with several processes on few cores, more were measured to be many times slower.
export OMP_NUM_THREADS ?= 1

.PHONY: setup demo test test-operated test-slow lint clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(RUN) pip install -q -c constraints.txt torch==2.13.0
	$(RUN) pip install -q -c constraints.txt -e '.[dev]'
	$(RUN) pip install -q --no-deps open_flamingo==2.0.1
	touch $(STAMP)

demo: setup
	$(RUN) srd demo --out demo

lint: setup
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports

test: lint
	$(RUN) python -m pytest -q -n 2

# Of the slow ones, those that only real processes show: deployed on a server, ended by a signal, run as a grid.
test-operated: setup
	$(RUN) python -m pytest -q -n 2 -m slow tests/deployments tests/flows/test_termination.py tests/flows/test_bench.py

test-slow: setup
	$(RUN) python -m pytest -q -m slow

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
