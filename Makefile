# Everything here works on a fresh machine that has python3 (3.10 or later, with venv), a C and C++
# compiler and make. `make` alone lists the targets.

PYTHON ?= python3
VENV ?= .venv
# Arguments for pytest, for instance PYTEST_ARGS="-k conv2d -x".
PYTEST_ARGS ?=
# How long to fuzz.
SECONDS ?= 60
# Test processes; one of them wants about 1 GiB.
JOBS ?= 2

BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The package is installed editable: Python files are used where they lie. The compiled module is
# not, so a change of these installs it anew. Folders are listed too, for files that go away.
COMPILED_FROM := pyproject.toml CMakeLists.txt $(shell find csrc runtime)

PYTHON_FOLDERS := python runtime/devices tests tools $(wildcard examples benchmarks)
C_FILES := $(shell find csrc runtime $(wildcard tests/runtime tests/firmware tools examples) -name '*.[ch]' -o -name '*.[ch]pp')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-all fuzz onnx-coverage format lint lint-python lint-c docs wheel clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMPS)/demo ## Recognise handwritten digits with the bundled model; writes a picture
	@mkdir -p out
	$(BIN)/weft demo --output out/weft-demo.png

test: $(STAMPS)/test ## Run the tests, in the quick profile
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

test-all: $(STAMPS)/test ## Run the tests with many more random cases
	WEFT_TEST_PROFILE=thorough $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

fuzz: $(STAMPS)/fuzz ## Fuzz both importers for SECONDS, guided by coverage
	$(BIN)/python tools/fuzz_importers.py --seconds $(SECONDS)

onnx-coverage: $(STAMPS)/test ## Run the tests of the onnx package and write docs/onnx-operators.md
	$(BIN)/python tools/onnx_coverage.py

format: $(STAMPS)/lint ## Format Python, C and C++, and mend what the linter can
	$(BIN)/ruff check --fix $(PYTHON_FOLDERS)
	$(BIN)/ruff format $(PYTHON_FOLDERS)
	$(BIN)/clang-format -i $(C_FILES)

lint: lint-python lint-c ## Check style, types and the direction of imports

lint-python: $(STAMPS)/lint
	$(BIN)/ruff check $(PYTHON_FOLDERS)
	$(BIN)/ruff format --check $(PYTHON_FOLDERS)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# The PEs' word is of 32 bits, a host's of 64: the runtime is checked as both. Locks that are held to
# the end of a block are never read.
CPPCHECK := cppcheck --quiet --error-exitcode=1 --inline-suppr \
	--enable=warning,style,performance,portability
CPPCHECK_RUNTIME := $(CPPCHECK) --std=c99 -I runtime/include -I tools/lint \
	'-DWEFT_RUNTIME_HASH=""' -D__GCC_HAVE_SYNC_COMPARE_AND_SWAP_4 runtime

lint-c: $(STAMPS)/lint
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)
	@if command -v cppcheck > /dev/null; then \
		set -ex; \
		$(CPPCHECK_RUNTIME) --platform=unix32; \
		$(CPPCHECK_RUNTIME) --platform=unix64; \
		$(CPPCHECK) --std=c++17 --language=c++ --suppress=shadowFunction \
			--suppress=unreadVariable:csrc/workers.cpp \
			-I csrc -I runtime/include -I runtime/port/host csrc; \
	elif [ -n "$$CI" ]; then \
		echo "cppcheck is not installed" >&2; exit 1; \
	else \
		echo "note: cppcheck is not installed; the C was not analysed"; \
	fi

docs: $(STAMPS)/docs ## Build the documentation, warnings as errors, into docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

wheel: $(STAMPS)/venv ## Build the wheel into dist/
	rm -rf dist
	$(PIP) wheel --quiet --no-deps --wheel-dir dist .

clean: ## Remove everything that was built, the environment too
	rm -rf $(VENV) build dist out docs/_build
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find python tests tools -name __pycache__ -prune -exec rm -rf {} +

# --- the environment ----------------------------------------------------------------------------

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or later is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet 'pip>=22'
	@mkdir -p $(@D)
	@touch $@

$(STAMPS)/package: $(STAMPS)/venv $(COMPILED_FROM)
	@echo "Installing Weft into $(VENV); the first time this takes a minute or two."
	$(PIP) install --quiet --editable .
	@touch $@

# Weft itself is there already, so this only adds what its extras name.
$(STAMPS)/demo: EXTRAS := demo
$(STAMPS)/test: EXTRAS := demo,embedded,emulate,test
$(STAMPS)/lint: EXTRAS := lint
$(STAMPS)/docs: EXTRAS := docs
$(STAMPS)/fuzz: EXTRAS := fuzz,test
$(STAMPS)/demo $(STAMPS)/test $(STAMPS)/lint $(STAMPS)/docs $(STAMPS)/fuzz: $(STAMPS)/package
	$(PIP) install --quiet 'weft[$(EXTRAS)]'
	@touch $@
