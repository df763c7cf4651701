# For GNU make 3.81 (the one that macOS ships) and newer, and a POSIX sh; the clone's path may hold spaces.

# Makes a new .venv; one that is there keeps its own interpreter.
PYTHON ?= python3
# Goes on to the command behind demo, test, test-llm, bench, bench-… and lock: make test ARGS="-k redaction"
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# Pinned, so that the same lock comes out wherever it is made.
UV_VERSION := 0.13.9
CACHES := .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .tmp_dagster_home_*
ENV_NOTE := \# written by make install
# Dagster needs a Python below 3.15; one of its dependencies has no wheel for 3.14 on macOS.
SUPPORTED := import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 14 if sys.platform == "linux" else 13))

define check_tools
@"$(PYTHON)" -c '$(SUPPORTED)' 2>/dev/null || { \
  for name in python3.13 python3.12 python3.11 python3.14; do \
    if "$$name" -c '$(SUPPORTED)' 2>/dev/null; then hint="run: make install PYTHON=$$name"; break; fi; \
  done; \
  version=$$("$(PYTHON)" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo missing); \
  echo "$(PYTHON) is $$version, but Python 3.11 to 3.13 is needed (3.14 on Linux too):" \
    "$${hint:-install it (macOS: brew install python@3.13, Debian: apt install python3-venv), then run: make install PYTHON=python3.13}" >&2; \
  exit 1; }
@set -- $$(git version 2>/dev/null | sed 's/^git version \([0-9]*\)\.\([0-9]*\).*/\1 \2/'); \
if [ "$${1:-0}" -lt 2 ] || { [ "$$1" -eq 2 ] && [ "$$2" -lt 37 ]; }; then \
  echo "git is $${1:-missing}$${2:+.$$2}, but 2.37 or newer is needed (macOS: brew install git, Debian: apt install git)" >&2; \
  exit 1; \
fi
endef

# .venv/.locked holds the folder that the environment was made in. Commands in it begin with that path, so that
# a clone that was moved or copied, or whose interpreter is gone, gets a new one.
ifneq ($(shell $(BIN)/python -c '' 2>/dev/null && cat .venv/.locked 2>/dev/null),$(shell pwd -P))
.PHONY: .venv/.locked
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test test-llm lint format bench bench-history bench-backfill bench-outage bench-packing bench-questions bench-rate docs lock build clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile | while IFS=: read -r name text; do \
	  printf '  make %-15s %s\n' "$$name" "$$text"; done
	@echo '  ARGS="…" goes on to the command; PYTHON=python3.13 chooses the interpreter of a new .venv'

install: .venv/.installed ## set up .venv, .env and the Dagster home; does nothing where they are up to date
	@$(BIN)/python -m digest_pipeline.orchestration.install

.venv/.installed: .venv/.locked pyproject.toml
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@$(PIP) check
	@touch $@
	@echo "Installed into .venv. Try: make demo"

.venv/.locked: requirements.lock
	$(check_tools)
	@if [ "$$(cat .venv/.locked 2>/dev/null)" != "$$(pwd -P)" ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  "$(PYTHON)" -m venv --clear .venv; \
	fi
	@echo "Installing what requirements.lock names; the first time takes a minute or two."
	@$(PIP) install --require-hashes --requirement requirements.lock
	@pwd -P > $@

demo: install ## the digest of this clone's own newest days, offline
	$(BIN)/digest demo $(ARGS)

test: install lint ## everything that CI checks: lint, then the tests
	$(BIN)/pytest --numprocesses auto --dist worksteal $(ARGS)

test-llm: install ## one day through a real model; TEST_LLM_URL=http://… says where
	@test -n "$(TEST_LLM_URL)" || { echo "Say where: make test-llm TEST_LLM_URL=http://127.0.0.1:8080/v1" >&2; exit 2; }
	TEST_LLM_URL="$(TEST_LLM_URL)" $(BIN)/pytest --numprocesses 0 -s digest_pipeline_tests/test_llm.py $(ARGS)

lint: .venv/.installed ## style, types and the fences between layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: .venv/.installed ## rewrite the code in the house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: install ## measure everything, each figure beside its floor or peer; ARGS="--only writers,growth"
	$(BIN)/python -m benchmarks.bench $(ARGS)

bench-history: install ## measure a long history, by step
	$(BIN)/python -m benchmarks.history $(ARGS)

bench-backfill: install ## backfill a long history from the UI, beside digest run over the same days
	$(BIN)/python -m benchmarks.backfill $(ARGS)

bench-outage: install ## replay an outage from a hundred seeds; nothing may be lost
	$(BIN)/python -m benchmarks.outage $(ARGS)

bench-rate: install ## 400 analyses at a server that allows 20 a second
	$(BIN)/python -m benchmarks.rate $(ARGS)

bench-packing: install ## measure how much of a history's patches its prompts show
	$(BIN)/python -m benchmarks.packing $(ARGS)

bench-questions: install ## measure the questions of digest sql over 20,000 commits
	$(BIN)/python -m benchmarks.questions $(ARGS)

docs: install ## make docs/sql.md anew from the questions' files
	$(BIN)/python -m digest_pipeline_tests.documented

lock: ## make requirements.lock anew from pyproject.toml; ARGS=--upgrade takes newer versions
	$(check_tools)
	@set -e; scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; trap 'exit 1' HUP INT TERM; \
	"$(PYTHON)" -m venv "$$scratch/venv"; \
	"$$scratch/venv/bin/python" -m pip --quiet --disable-pip-version-check install uv==$(UV_VERSION); \
	if [ -f requirements.lock ]; then cp requirements.lock "$$scratch/new.lock"; fi; \
	printf '%s\n' 'hatchling>=1.27' 'editables>=0.5' | \
	  "$$scratch/venv/bin/uv" pip compile --quiet --no-config --python "$$scratch/venv/bin/python" \
	    --universal --python-version 3.11 --generate-hashes --only-binary :all: --emit-build-options \
	    --no-strip-extras --no-emit-index-url --no-annotate --no-header \
	    --group dev --output-file "$$scratch/new.lock" $(ARGS) pyproject.toml - > /dev/null; \
	if grep -n '://' "$$scratch/new.lock"; then echo "The lock must name no address." >&2; exit 1; fi; \
	{ printf '%s\n' \
	    '# Made by "make lock" (uv pip compile, $(UV_VERSION)) from pyproject.toml: the dependencies, the dev group and' \
	    '# what the editable install is built with. Holds for Python 3.11 and newer, on Linux and macOS. Do not edit.'; \
	  cat "$$scratch/new.lock"; } > requirements.lock; \
	echo "requirements.lock: $$(grep -c '==' requirements.lock) packages"

build: .venv/.installed ## make the wheel and the sdist in dist/
	rm -rf dist
	$(BIN)/python -m hatchling build

clean: ## remove .venv, the .env of make install, dist/ and the caches; your data stays
	rm -rf .venv build dist $(CACHES)
	@find . \( -path ./.git -o -path ./data \) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
	@if ! grep -Fxqs '$(ENV_NOTE)' .env; then :; \
	elif grep -Ev '^(#.*|DAGSTER_HOME=.*|[[:space:]]*)$$' .env | grep -q .; then \
	  echo "Kept .env: it holds more than make install wrote."; \
	else \
	  rm -f .env; \
	fi
	@echo "Kept data/: the history, the reports and the Dagster home. Remove it by hand to start anew."
