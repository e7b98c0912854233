# `make run` starts the daemon, `make test` runs the tests, `make test-slow` those that take long, `make bench` measures
# the speed of the network, `make bench-accuracy` the accuracy of the forecasts, `make bench-api` the reach of the read API.
# Each makes its virtual environment first where that is missing or old.
.PHONY: run test test-slow check bench bench-accuracy bench-api clean
VENV := .venv
STAMP := $(VENV)/.installed
BENCH_VENV := .venv-bench
ACCURACY_VENV := .venv-bench-accuracy
API_VENV := .venv-bench-api
# The plain way to install in place: the other one costs every start of Python 10 ms.
EDITABLE := --config-settings editable_mode=compat -e
BENCH_STAMP := $(BENCH_VENV)/.installed
ACCURACY_STAMP := $(ACCURACY_VENV)/.installed
API_STAMP := $(API_VENV)/.installed

$(STAMP): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) …"
	@python3 -m venv --clear $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt $(EDITABLE) '.[dev]'
	@# aeon carries the recordings of the speech example. Only that file is read: what aeon itself needs stays out.
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps aeon==1.6.0
	@touch $@

run: $(STAMP)
	@exec $(VENV)/bin/rollcast run

# On all cores; the tests of one file, which may share a database server, stay together.
test: $(STAMP)
	$(VENV)/bin/pytest --numprocesses auto --dist loadfile -m 'not slow'

test-slow: $(STAMP)
	$(VENV)/bin/pytest --numprocesses auto --dist loadfile -m slow

check: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest -q tests/test_imports.py

# The peers bring their own versions of everything, so they have an environment of their own.
$(BENCH_STAMP): pyproject.toml benchmarks/constraints.txt
	@echo "Installing into $(BENCH_VENV) …"
	@python3 -m venv --clear $(BENCH_VENV)
	@$(BENCH_VENV)/bin/pip install --quiet --disable-pip-version-check -c benchmarks/constraints.txt $(EDITABLE) '.[bench]'
	@touch $@

bench: $(BENCH_STAMP)
	$(BENCH_VENV)/bin/python -m benchmarks.rnn

# statsforecast wants an older pandas, so this one has an environment of its own too.
$(ACCURACY_STAMP): pyproject.toml benchmarks/constraints-accuracy.txt
	@echo "Installing into $(ACCURACY_VENV) …"
	@python3 -m venv --clear $(ACCURACY_VENV)
	@$(ACCURACY_VENV)/bin/pip install --quiet --disable-pip-version-check -c benchmarks/constraints-accuracy.txt $(EDITABLE) '.[bench-accuracy]'
	@touch $@

bench-accuracy: $(ACCURACY_STAMP)
	$(ACCURACY_VENV)/bin/python -m benchmarks.accuracy

# The daemon is measured as it is installed, in the first environment; this one holds its peer alone, with uvicorn's quick parts.
$(API_STAMP): benchmarks/constraints-api.txt
	@echo "Installing into $(API_VENV) …"
	@python3 -m venv --clear $(API_VENV)
	@$(API_VENV)/bin/pip install --quiet --disable-pip-version-check -c benchmarks/constraints-api.txt datasette httptools uvloop
	@touch $@

bench-api: $(STAMP) $(API_STAMP)
	$(VENV)/bin/python -m benchmarks.api

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(ACCURACY_VENV) $(API_VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
