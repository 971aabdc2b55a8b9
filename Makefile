# Every target works from a bare checkout. Required: make, and Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
BENCH_VENV ?= .venv-bench
PROJECTS_VENV ?= .venv-projects
SERVERS_VENV ?= .venv-servers
SUITES_VENV ?= .venv-suites
PORT ?= 8000
COVERAGE ?= $(CI)
# The tests wait more than they compute, so there are more processes than cores. The slowest tests start first; see
# tests/conftest.py.
IN_PARALLEL := --numprocesses 6 --dist loadfile --no-loadscope-reorder
UNITS ?= tests/checks tests/http_client tests/providers tests/runner tests/secret_values tests/service tests/system_checks/test_checks.py \
    tests/probe tests/repository/test_docs.py
BIN := $(VENV)/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo outage test reliability matrix oracle servers unit bench projects suites lint docs build clean

help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /	/'

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[postgresql]" --group dev $(DJANGO)
	touch $@

demo: $(VENV)/installed ## Run the example project on SQLite (PORT=8000)
	$(BIN)/python -m example_project.demo --port $(PORT)

outage: $(VENV)/installed ## Replay the four root causes of the outage on PostgreSQL
	$(BIN)/python -m example_project.outage

# In CI, with ALL=1, and if ARGS names tests, no test is left out.
QUICK = $(if $(CI)$(ALL)$(findstring tests/,$(ARGS)),,--quick)

# Measuring coverage doubles the duration, so it is done only in CI, or with COVERAGE=1.
test: $(VENV)/installed ## Run the tests, with a real PostgreSQL; ALL=1 for those that take longest too
ifeq ($(COVERAGE),)
	$(BIN)/python -m pytest $(IN_PARALLEL) $(QUICK) $(ARGS)
else
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(IN_PARALLEL) $(QUICK) $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report $(if $(ARGS),--fail-under=0)
endif

reliability: $(VENV)/installed ## Run the fault suite and write docs/reliability.md
	HEALTHGUARD_WRITE_RELIABILITY=1 $(BIN)/python -m pytest tests/faults $(ARGS)

matrix: $(VENV)/installed ## Run every stage on every root cause and write docs/what-catches-what.md
	$(BIN)/python -m tests.matrix

oracle: $(VENV)/installed ## Compare the schema checks with the ORM: make oracle CHANGES=10000 SEED=1
	CHANGES=$(or $(CHANGES),10000) SEED=$(or $(SEED),1) $(BIN)/python -m pytest --numprocesses 2 --dist load tests/oracle $(ARGS)

# Without the tests that need the group "formats", a secret scanner of 36 MB.
unit: $(VENV)/installed ## Run the unit tests on another Python or Django: make unit PYTHON=python3.13 DJANGO=django~=6.0.0 VENV=.venv-6.0
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --ignore tests/providers/test_independent_formats.py $(UNITS) $(ARGS)

# A separate environment: uvicorn behaves differently as soon as httptools and uvloop are installed.
$(BENCH_VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BENCH_VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[postgresql]" --group bench
	touch $@

bench: $(BENCH_VENV)/installed ## Run the benchmarks and write docs/performance.md (needs wrk)
	$(BENCH_VENV)/bin/python -m tests.benchmarks --write docs/performance.md $(ARGS)

$(PROJECTS_VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(PROJECTS_VENV)
	$(PROJECTS_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(PROJECTS_VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable . --group projects
	touch $@

projects: $(PROJECTS_VENV)/installed ## Run the default checks against third-party projects: make projects ARGS="wagtail django-cms"
	$(PROJECTS_VENV)/bin/python -m tests.projects $(ARGS)

$(SUITES_VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(SUITES_VENV)
	$(SUITES_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(SUITES_VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable . --group suites
	touch $@

suites: $(SUITES_VENV)/installed ## Run the test suites of third-party projects with the pytest plugin: make suites ARGS=django-guardian
	$(SUITES_VENV)/bin/python -m tests.projects.suites $(ARGS)

# uWSGI and mod_wsgi are compiled; mod_wsgi only if Apache's headers are installed.
$(SERVERS_VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(SERVERS_VENV)
	$(SERVERS_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(SERVERS_VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[postgresql]" --group servers \
	    $$(command -v apxs >/dev/null && echo --group apache)
	touch $@

servers: $(SERVERS_VENV)/installed ## Test the servers that Django is deployed on and write their table (needs a C compiler): make servers MOMENTS=20
	HEALTHGUARD_WRITE_RELIABILITY=$(if $(CI),,1) MOMENTS=$(or $(MOMENTS),1) $(SERVERS_VENV)/bin/python -m pytest tests/servers $(ARGS)

lint: $(VENV)/installed ## Check style, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python tests/typing/public_api.py
	$(BIN)/lint-imports

docs: $(VENV)/installed ## Build the documentation into docs/_build
	$(BIN)/sphinx-build --fail-on-warning --keep-going docs docs/_build

build: $(VENV)/installed ## Build the package into dist/
	rm -rf dist
	$(BIN)/python -m build --quiet

clean: ## Remove everything that the other targets created
	rm -rf $(VENV) $(BENCH_VENV) $(PROJECTS_VENV) $(SERVERS_VENV) $(SUITES_VENV) .state dist docs/_build .coverage* .mypy_cache .ruff_cache .pytest_cache
