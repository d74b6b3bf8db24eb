# The commands of the project. `make help` lists them; the set-up itself is packaging/bootstrap.py.
# Every path is relative to this folder, so a clone in a folder with spaces in its name works.

.DEFAULT_GOAL := help
.PHONY: help run test test-long bench lint types format clean setup-run setup-test

# The first Python of version 3.11 or newer; `make PYTHON=/path/to/python3 run` names another.
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
endif

SAMPLE := resources/samples/financial-coaching-sample.jsonl
PYTEST := .venv/bin/python -m pytest
# Most tests wait for servers and time limits, so more files run side by side than there are cores.
SIDE_BY_SIDE := -n 4 --dist loadfile
RUFF := .venv/bin/python -m ruff
MYPY := .venv/bin/python -m mypy

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z-]*\):.*## /  make \1: /p' Makefile

run: setup-run ## install what is missing and start Lorry (without a display: upload a sample and list it)
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
		exec .venv/bin/lorry $(ARGS); \
	else \
		echo "No display here, so Lorry uploads a sample dataset from the command line."; \
		.venv/bin/lorry upload $(SAMPLE) --wait && .venv/bin/lorry list; \
	fi

test: setup-test ## install what is missing and run the tests (ARGS="-k name" is passed on)
	@$(PYTEST) -m "not long and not bench" $(SIDE_BY_SIDE) $(ARGS)

test-long: setup-test ## the tests that take minutes
	@$(PYTEST) -m "long and not bench" $(ARGS)

bench: setup-test ## the measurements of tests/bench
	@$(PYTEST) -m bench -s -p no:randomly $(ARGS)

lint: setup-test ## ruff: rules and format
	@$(RUFF) check .
	@$(RUFF) format --check .

types: setup-test ## mypy
	@$(MYPY)

format: setup-test ## let ruff repair what it can
	@$(RUFF) check --fix .
	@$(RUFF) format .

clean: ## remove .venv and everything else the commands above made
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup-run setup-test: setup-%:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Lorry needs Python 3.11 or newer; none was found. On Debian 12: sudo apt-get install python3" >&2; \
		exit 1; \
	fi
	@"$(PYTHON)" packaging/bootstrap.py $*
