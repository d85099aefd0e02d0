PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Every evaluation is one core; libraries that thread on their own would only get in its way.
export OMP_NUM_THREADS = 1

.PHONY: install demo test lint docs clean

install: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Fits silica to the ab initio liquid; run again after an interruption, it goes on where it was.
demo: install
	@if [ -e runs/demo/journal.jsonl ]; then $(BIN)/lammpsfit resume runs/demo; \
	else $(BIN)/lammpsfit fit examples/silica/quick.toml -o runs/demo; fi

# in as many processes as there are cores; one that has nothing left to do takes over of another
test: install
	$(BIN)/pytest -n auto --dist worksteal

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# build/docs/index.html; a broken link or reference is an error
docs: install
	$(BIN)/sphinx-build -E -W --keep-going -q docs build/docs

clean:
	rm -rf $(VENV) build/docs .mypy_cache .pytest_cache .ruff_cache
