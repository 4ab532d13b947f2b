# `make demo` walks the whole road on an embedded data set; `make test` proves it.
# Both make their own .venv first, from the pinned versions in constraints.txt.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo docs test test-lowest lint types layers pytest coverage acceptance peers pi compat lock clean

demo: .venv/installed
	$(BIN)/edgeclf demo --out demo-run

test: lint types layers pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy
	$(BIN)/pyright

layers: .venv/installed
	$(BIN)/lint-imports

# The documentation site, from docs/ and the pages beside the README: build/site/index.html.
docs: .venv/installed
	rm -rf build/site
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky --fresh-env \
	  --conf-dir docs/site --doctree-dir build/doctrees . build/site

pytest: .venv/installed
	$(BIN)/pytest -n 2 --dist loadfile

# Which lines no test runs. Counting them makes the tests slower, so `make test` does not.
coverage: .venv/installed
	$(BIN)/pytest -n 2 --dist loadfile --cov --cov-report=term

# Converts and trains on the real photographs beside the repository: three quarters of an hour.
acceptance: .venv/installed
	$(BIN)/pytest -m acceptance

# The same ImageNet weights in everyone's runtime, side by side. The peers get an environment of their
# own; the first run also makes the models, which are kept in ~/.cache/edgeclf-peers.
# make peers ARCH=efficientnet-lite0 compares the other network that this knows.
ARCH ?= densenet121
WEIGHTS_densenet121 := ../shared/weights/densenet121_imagenet.weights.h5
WEIGHTS_efficientnet-lite0 := ../shared/weights/efficientnet_lite0_imagenet.npz
WEIGHTS ?= $(WEIGHTS_$(ARCH))
DATA ?= ../shared/data/imagenet-samples

peers: .venv/installed
	$(BIN)/python benchmarks/peers/side_by_side.py --arch $(ARCH) --weights $(WEIGHTS) \
	  --data $(DATA) --out peers-run

# A Raspberry Pi without a Raspberry Pi: the wheel on an emulated Pi 4 and Pi 5 (docs/develop/pi.md).
# make pi PI=--update-budgets makes what is counted the budgets.
pi: .venv/installed
	$(BIN)/python benchmarks/pi_emulation/pi.py $(PI)

# The files in every runtime that people have, compared bit by bit (docs/device/runtimes.md).
# make compat COMPAT='--row tflite' runs the rows whose names hold that.
compat: .venv/installed
	$(BIN)/python benchmarks/compat/compat.py $(COMPAT)

# The tests with the lowest version of each dependency that pyproject.toml allows.
# make test-lowest LOWEST=tests/edge_runtime/test_run_command.py runs some of them.
test-lowest: .venv-lowest/installed
	.venv-lowest/bin/pytest -n 2 --dist loadfile $(LOWEST)

.venv-lowest/installed: pyproject.toml .venv/installed
	$(BIN)/uv venv --quiet --seed --clear --python $(BIN)/python .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct \
	  --editable '.[train,dev]'
	@touch $@

# The pins for every platform and Python that we support, in one file.
lock: .venv/installed
	$(BIN)/uv pip compile --universal --python-version 3.10 --all-extras --no-annotate --no-header \
	  --quiet --upgrade -o constraints.txt pyproject.toml

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "edgeclf needs Python 3.10 or newer: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' \
	  || { echo "this Python has no venv: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[train,dev]'
	@mkdir -p .types && ln -sfn .. .types/edgeclf
	@touch $@

clean:
	rm -rf .venv .venv-lowest .types build *.egg-info demo-run peers-run
