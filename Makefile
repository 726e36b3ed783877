# `make run` and `make test` are all a newcomer needs. The first call makes .venv; later ones need no network.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# uv installs several times faster; where it cannot (an index that only pip is told of), pip does it.
INSTALL = $(PIP) uv && UV_SYSTEM_CERTS=1 $(BIN)/uv pip install --quiet --python $(BIN)/python -r $(1) || $(PIP) -r $(1)
STAMP := .venv/.installed
DEV_STAMP := .venv/.installed-dev
BENCHES := $(sort $(wildcard bench/*.py))

.PHONY: help run test check deploy-check fmt clean bench
.DEFAULT_GOAL := help

help:
	@echo "make run    serve http://127.0.0.1:$(PORT) with demo data (PORT=8001 takes another port)"
	@echo "make test   the whole test suite"
	@echo "make check  style, types, configuration, migrations, API description"
	@echo "make fmt    bring the code into the project's style"
	@echo "make bench  measure what is promised about speed"
	@echo "make clean  remove everything that was generated, the demo database too"

# Serving needs less than testing, so that the first `make run` is short.
$(STAMP): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Waymark needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what Waymark needs into .venv"
	@$(call INSTALL,requirements.txt)
	@touch $@

$(DEV_STAMP): requirements-dev.txt $(STAMP)
	@echo "Installing what its tests need into .venv"
	@$(call INSTALL,requirements-dev.txt)
	@touch $@

run: export DEBUG ?= 1
run: export DEMO_FEED ?= 1
run: $(STAMP)
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT)))' 2>/dev/null \
		|| { echo "Port $(PORT) is taken: stop what uses it, or choose another with: make run PORT=8001"; exit 1; }
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) seed --seed 1 --rows 100000 || { test $$? -eq 2 && echo "The data that is there is kept."; }
	@exec $(MANAGE) serve --port $(PORT)

test: $(DEV_STAMP)
	@.ci/test

check: $(DEV_STAMP) deploy-check
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy manage.py config activity identity punch traffic
	@DEBUG=1 $(MANAGE) check
	@DEBUG=1 $(MANAGE) makemigrations --check --dry-run
	@DEBUG=1 $(MANAGE) spectacular --validate --fail-on-warn --file /dev/null

deploy-check: $(DEV_STAMP)
	@.ci/deploy-check

fmt: $(DEV_STAMP)
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(DEV_STAMP)
	@status=0; for script in $(BENCHES); do echo "== $$script"; $(BIN)/python $$script || status=1; done; exit $$status

clean:
	rm -rf var .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
