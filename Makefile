# Two commands for everybody: `make demo` shows the whole path of a detection, `make test` proves it.
# `make test-long` runs what takes minutes more; CI runs both.
# Each works on a machine with Python 3.11 to 3.13, make and the package registries; uv is put into .uv/, beside the code.

.PHONY: demo test test-long test-training check bench bench-peers docs screenshots clean

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
UV := .uv/bin/uv
RUN := $(UV) run --frozen

# Real pictures, recordings and weights for building and testing, where this checkout has them beside it.
SHARED := $(wildcard ../shared/data)

demo: .uv/ready
ifneq ($(wildcard $(SHARED)/samples),)
	$(RUN) wildpost demo --samples $(SHARED)/samples $(DEMO)
else
	$(RUN) wildpost demo $(DEMO)
endif

PROGRAMS := mosquitto chromium influxd nginx caddy initdb systemd-analyze libportaudio2 strace age

# Workers share the test files; one file stays with one worker, and so do the servers that it starts. One worker more than
# there are cores, since tests often wait for servers.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)')

test: .uv/ready
	@.ci/programs $(PROGRAMS)
ifeq ($(TEST),)
	$(RUN) pytest --ignore=tests/training -m "not long" -n $(WORKERS) --dist loadfile
else
	$(RUN) pytest $(TEST)
endif

# What takes minutes: heavy installations, long runs of hostile input, and training, which needs torch.
test-long: .uv/ready test-training
	@.ci/programs $(PROGRAMS)
	$(RUN) pytest --ignore=tests/training -m long -n $(WORKERS) --dist loadfile

# torch is in no station and no server: tests of training have an environment of their own, made where it is absent.
test-training: .venv-train/ready
	.venv-train/bin/python -m pytest tests/training

check: .uv/ready
	$(UV) lock --check
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) pytest -q tests/docs

BENCHES := vision sound cards ingest latency trends faults
BENCH := --quick

# Every benchmark runs, also after one that failed; the last line of each is its result as JSON.
bench: bench-peers
	@failed=""; for bench in $(BENCHES); do \
		echo "== bench.$$bench"; $(RUN) python -m bench.$$bench $(BENCH) || failed="$$failed $$bench"; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

# The programs that the benchmarks compare Wildpost with; a missing one leaves its ratios null.
bench-peers: .uv/ready
	@$(MAKE) --no-print-directory .venv-train/ready || echo "ultralytics could not be installed in .venv-train"
	@$(RUN) python -m bench.peers

# The documents as a site in site/, readable without a network.
docs: .uv/ready
	@rm -rf site
	$(RUN) --group docs sphinx-build --fail-on-warning --keep-going --quiet --builder html --conf-dir docs . site
	@rm -rf site/.doctrees
	$(RUN) python docs/check_site.py site
	$(RUN) pytest -q tests/docs
	@echo "open site/index.html"

# The pictures of the pages in docs/pictures, taken anew.
screenshots: .uv/ready
	@.ci/programs chromium
	$(RUN) python docs/screenshots.py $(if $(wildcard $(SHARED)/samples),--samples $(SHARED)/samples)

.uv/ready: pyproject.toml uv.lock .ci/uv.txt
	@test -n "$(PYTHON)" || { echo "Wildpost needs Python 3.11, 3.12 or 3.13 on the PATH, or make PYTHON=/path/to/it"; exit 1; }
	@test -x $(UV) || { $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.txt; } \
		|| { echo "Could not make a virtual environment in .uv (Debian: apt-get install python3-venv)"; rm -rf .uv; exit 1; }
	$(UV) sync --frozen --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $@

.venv-train/ready: .uv/ready
	UV_PROJECT_ENVIRONMENT=.venv-train $(UV) sync --frozen --no-default-groups --group dev --extra station --extra train \
		--python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $@

clean:
	rm -rf .uv .venv .venv-train .bench site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
