# Every target makes what it needs first. `make reports` and `make test` are all that a new user has to know.
.POSIX:
.PHONY: help install reports test test-all coverage recovery faults blank cluster messages lint lab docs release lock wheelhouse offline clean

VENV = .venv
BIN = $(VENV)/bin
WHEELHOUSE = build/wheelhouse
# The first Python of 3.11 to 3.13 that works here; name another with `make PYTHON=…`.
PYTHON = $$(for p in python3 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then echo $$p; break; fi; done)

help:
	@echo "make reports   one HTML report per region (on the synthetic sample if data/raw is empty)"
	@echo "make test      the tests of every day: a run, every room, the numbers of R, notebooks 01 to 03 (some eight minutes)"
	@echo "make test-all  the others: faults, browser, other machines, recovery, second looks (some twenty minutes)"
	@echo "make coverage  both, and which lines none of them runs"
	@echo "make recovery  the long recovery studies (minutes)"
	@echo "make faults    a hundred kills, every file damaged, two environments (a quarter of an hour or more)"
	@echo "make blank     runs with every column absent, every cell blank, very few rows (two hours)"
	@echo "make cluster   a whole run on a Dask cluster with certificates, against one here (minutes)"
	@echo "make lab       JupyterLab on the notebooks"
	@echo "make docs      the documentation's site, in build/docs"
	@echo "make release   wheel and source archive, checked, in dist (uploads nothing)"
	@echo "make messages  hold the texts of the reports against the code, in both languages"
	@echo "make lint      ruff, the order of rooms, types; and that no data, key or output of a notebook is committed"
	@echo "make install   only the environment, in $(VENV)"
	@echo "make lock      resolve requirements.lock again"
	@echo "make wheelhouse  all that a machine without network needs, in $(WHEELHOUSE)"
	@echo "make offline   the same, and a try of it (minutes)"
	@echo "make clean     remove what can be made again; never deposits nor keys"

# The stamp is newer than the lock and the project file once both are installed.
$(VENV)/installed: requirements.lock pyproject.toml
	@python="$(PYTHON)"; if [ -z "$$python" ]; then \
		echo "No Python from 3.11 to 3.13 was found: install one, or name it with make PYTHON=/path/to/python." >&2; exit 2; fi; \
	$$python -m venv $(VENV) || { \
		echo "The environment could not be made: on Debian and Ubuntu, install the package python3-venv." >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

install: $(VENV)/installed

reports: install
	$(BIN)/trajectories run

# Each notebook whole on one process (--dist loadfile). The order is that of tests/conftest.py, the longest files first;
# else the files of most tests would be. What Python compiles is kept, also where somebody's shell says not to: the tests
# start Python many times. One thread a process: two processes of two threads each wait for each other.
PYTEST = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test: install
	$(PYTEST) -m "not slow and not thorough" --nbval-lax $(ARGS)

# What `make test` leaves; its property tests draw more examples.
test-all: install
	$(PYTEST) -m "thorough and not slow" --nbval-lax --hypothesis-profile thorough $(ARGS)

coverage: install
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered $(ARGS) tests src

recovery: install
	$(BIN)/python -m pytest -q -m slow tests/recovery

faults: install
	$(BIN)/python -m pytest -q -s -m slow tests/faults/test_run_faults.py tests/machines/test_environments.py

blank: install
	$(BIN)/python -m pytest -q -m slow tests/faults/test_blank.py

cluster: install
	$(BIN)/python -m pytest -q -m slow tests/machines/test_cluster.py

messages: install
	$(BIN)/python -m trajectories.report.messages

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/python hooks/refuse_data.py

lab: install
	$(BIN)/trajectories lab

# Every warning is an error. The reference is made from the code, so every page is made anew.
docs: install
	rm -rf build/docs build/doctrees
	$(BIN)/python -m sphinx -W --keep-going -n -q -d build/doctrees docs build/docs
	@echo "$$(pwd)/build/docs/index.html"

# From a clean tree, and of a version that CHANGELOG.md knows. It uploads nothing. What builds and checks is needed here
# only, and is not part of the environment: from twine 6.1 on it knows the metadata (2.4) that hatchling writes.
release: install
	@test -z "$$(git status --porcelain)" || { \
		echo "The tree is not clean: commit, or put aside, what git status shows." >&2; exit 2; }
	@version=$$($(BIN)/python -c 'import trajectories; print(trajectories.__version__)'); \
		grep -qF "## [$$version]" CHANGELOG.md || { \
		echo "CHANGELOG.md has no section [$$version]: write what changed." >&2; exit 2; }
	rm -rf dist
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "build>=1.2" "twine>=6.1"
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*
	@ls dist

# uv resolves for all three Pythons at once; it is needed here only, and is not part of the environment. Extras stay
# named: to a pip as old as Python 3.11's, « coverage » does not pin the coverage[toml] that another package asks for.
lock: install
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --all-extras --no-annotate --no-strip-extras --quiet --custom-compile-command "make lock" \
		--upgrade -o requirements.lock pyproject.toml

# For a machine without network, of the same system and the same Python. What is fetched is held against the lock's
# hashes; requirements.txt names each file with its own, for pip to check there (one package comes as source, and is
# built here). docs/closed-networks.md goes with it.
wheelhouse: install
	rm -rf $(WHEELHOUSE)
	mkdir -p $(WHEELHOUSE)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --require-hashes --no-deps \
		--wheel-dir $(WHEELHOUSE) -r requirements.lock
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--wheel-dir $(WHEELHOUSE) .
	$(BIN)/python -m pip hash $(WHEELHOUSE)/*.whl | paste -d ' ' - - | sed 's|^$(WHEELHOUSE)/\([^:]*\):|./\1|' \
		> $(WHEELHOUSE)/requirements.txt
	cp docs/closed-networks.md $(WHEELHOUSE)/README.md
	@$(BIN)/python -c 'import sys, sysconfig as s; print(f"\nMade on {s.get_platform()} for Python {sys.version[:4]}.")' \
		>> $(WHEELHOUSE)/README.md
	@tail -n 1 $(WHEELHOUSE)/README.md
	@cd $(WHEELHOUSE) && pwd

# Installs it into an environment of its own, asking no server, and runs it in an empty folder.
offline: wheelhouse
	$(BIN)/python -m pytest -q -m slow tests/machines/test_wheelhouse.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage .coverage.* htmlcov
	rm -rf data/sample data/derived reports/sample
	find src tests -name __pycache__ -type d -exec rm -rf {} +
