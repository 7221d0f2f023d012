# Python 3.11 or later and make are all that these need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: env demo test check bench clean

env: $(STAMP)

# The project is installed in place. Its folders go on Python's path after everything else that is
# installed, and a data folder called corpus/ in the working directory does not hide the package.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing affect-corpus and what it needs into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The main job on the embedded sample. A step whose inputs did not change does nothing.
demo: env
	@test -f demo/corpus.yaml || $(BIN)/corpus init demo --sample
	$(BIN)/annotation agreement --project demo
	$(BIN)/annotation aggregate --project demo
	$(BIN)/corpus check --project demo
	$(BIN)/corpus split --project demo
	$(BIN)/corpus build --project demo
	$(BIN)/corpus report --project demo
	@echo
	@echo "The dataset is in demo/dataset, the report in demo/reports/report.html. Load the dataset with"
	@echo "    $(BIN)/python -c 'from datasets import load_dataset; print(load_dataset(\"demo/dataset\"))'"

# Style, types and layers first: they fail fastest.
check: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest

bench: env
	$(BIN)/python benchmarks/build.py
	$(BIN)/python benchmarks/agreement.py

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
