.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python

.PHONY: help run test check audit demo-data bench lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run ## Run the service on this machine
	@$(RUN) -m moderation up

test: .venv/dev .venv/node ## Run the tests, with branch coverage
	@$(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term

check: .venv/dev ## Check format, lint, types, import layers and migrations
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@! command -v php >/dev/null || for file in integrations/*/*.php; do php -l $$file >/dev/null || exit 1; done

audit: .venv/dev ## Look the locked dependencies up in the advisories' database
	@$(BIN)/pip-audit --disable-pip --require-hashes -r requirements-dev.lock

demo-data: .venv/run ## Post labelled comments to the running service: FILE=comments.jsonl.gz
	@$(RUN) -m moderation demo-data $(FILE)

bench: .venv/run ## Measure what docs/benchmarks.md reports, and write it anew: eight minutes
	@$(RUN) -m benchmarks --output docs/benchmarks.md

lock: .venv/dev ## Resolve the dependencies anew and write the lock files
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--group bench -o benchmarks/requirements.lock

clean: ## Remove the environment and what tools left behind; the data folder stays
	rm -rf .venv .venv-bench tests/clients/node_modules .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/run: requirements.lock | .venv/bin/python
	@echo "Installing the locked dependencies ..."
	@$(RUN) -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $@

# Clients written for Node, which tests/clients uses where there is a Node.
.venv/node: tests/clients/package-lock.json | .venv/bin/python
	@if command -v npm >/dev/null; then npm ci --silent --prefix tests/clients && touch $@; fi

.venv/dev: requirements-dev.lock | .venv/bin/python
	@echo "Installing the locked dependencies for development ..."
	@$(RUN) -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@ .venv/run
