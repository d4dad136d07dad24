# Every target sets up what it needs. A fresh clone needs nothing but make and Python 3.11 or later.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

.DEFAULT_GOAL := help
.PHONY: help run test check format chaos fuzz bench fleet screenshots

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## Start the server on http://127.0.0.1:3003 (SEMANTEST_BIND changes that).
	@$(BIN)/semantest-server run

test: $(VENV)/.installed-for-tests ## Run all tests; ARGS="tests/unit -x" runs some.
	@scripts/chromium $(BIN)
	@scripts/nginx $(VENV)/nginx
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup $(ARGS)

chaos: $(VENV)/.installed-for-tests ## Kill everything at random while 5,000 panels are drawn, on both databases.
	@SEMANTEST_TEST_CHAOS_TASKS=$${SEMANTEST_TEST_CHAOS_TASKS:-5000} \
		$(BIN)/python -m pytest -s tests/chaos/test_chaos.py $(ARGS)

fuzz: $(VENV)/.installed-for-tests ## Send 10,000 requests made from the documentation, on both databases.
	@SEMANTEST_TEST_FUZZ_CASES=$${SEMANTEST_TEST_FUZZ_CASES:-10000} SEMANTEST_TEST_SEED=$${SEMANTEST_TEST_SEED:-$$$$} \
		SEMANTEST_TEST_EXAMPLES=$${SEMANTEST_TEST_EXAMPLES:-5000} $(BIN)/python -m pytest -s tests/fuzz $(ARGS)

bench: $(VENV)/.installed-for-bench ## Measure against bare Flask and other queues; ARGS="--quick" takes minutes less.
	@$(BIN)/python -m tests.benchmarks $(ARGS)

fleet: $(VENV)/.installed-for-tests ## Play 1,000 polling browsers for two minutes; ARGS="--workers 100 --backend postgresql".
	@$(BIN)/python -m tests.benchmarks.fleet $(ARGS)

screenshots: $(VENV)/.installed-for-tests ## Take the pictures of the README anew.
	@scripts/chromium $(BIN)
	@$(BIN)/python -m tests.browser.camera

check: $(VENV)/.installed-for-tests ## Lint, check the formatting and the types, and look for known weaknesses.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/bandit -q -r semantest_server
	@scripts/audit $(BIN)

format: $(VENV)/.installed-for-tests ## Format the code and sort the imports.
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

# The stamps are written last, so that what was interrupted is done again. The second waits for the first, so that
# two pips never work in one environment.
$(VENV)/.installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) .
	@touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed
	@$(INSTALL) '.[test,check]'
	@touch $@

$(VENV)/.installed-for-bench: $(VENV)/.installed-for-tests
	@$(INSTALL) '.[bench]'
	@touch $@
