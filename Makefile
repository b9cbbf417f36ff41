# `make demo` shows the whole thing; `make test` is everything that CI runs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint unit bench fuzz lock clean

demo: .venv/.run
	@$(BIN)/abuse demo

test: .venv/.dev lint unit

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: .venv/.dev
	$(BIN)/pytest -n 2 --dist worksteal

bench: .venv/.dev
	$(BIN)/python benchmarks/intake.py
	$(BIN)/python benchmarks/processing.py
	$(BIN)/python benchmarks/received.py

# A million bent Received fields. What it found wrong it keeps in .fuzz/.
fuzz: .venv/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-fuzz.lock
	mkdir -p .fuzz
	$(BIN)/python tests/fuzz/received_fuzz.py -artifact_prefix=.fuzz/

# What is installed comes from the lock files, by hash; the project itself is installed in place.
.venv/.run: bootstrap.py requirements.lock pyproject.toml
	@$(PYTHON) bootstrap.py requirements.lock
	@touch $@

.venv/.dev: .venv/.run requirements-dev.lock
	@$(PYTHON) bootstrap.py requirements.lock requirements-dev.lock
	@touch $@

# Needs `uv` on the PATH. --universal: one lock for every platform and Python we support.
lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		pyproject.toml requirements-build.in -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		pyproject.toml requirements-build.in --group dev -c requirements.lock -o requirements-dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--group pyproject.toml:fuzz -o requirements-fuzz.lock

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
