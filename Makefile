# make train   everything from nothing: environment, default dataset, RankNet over MEmCom, its test and a report
# make test    everything the project checks about itself, with coverage
# make test-export   what LiteRT and Core ML make of a ranker, each in an environment of its own, and the table of formats
# make clean   remove the environments
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
FORMATS := benchmarks/results/export_formats.json

.PHONY: train test test-export clean

train: $(VENV)/.train
	$(RUN) train.py fit --config ranknet.yaml

test: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(RUN) -m pytest --numprocesses auto --dist worksteal --cov --cov-report=term:skip-covered

test-export: $(VENV)/.dev .venv-litert/.made .venv-coreml/.made
	for format in litert coreml; do \
	    .venv-$$format/bin/python -m pytest -p no:anyio tests/export/test_$${format}_format.py || exit 1; \
	    .venv-$$format/bin/python benchmarks/export_formats.py --formats $$format --output $(FORMATS) || exit 1; \
	done
	$(RUN) benchmarks/export_formats.py --formats onnx executorch --output $(FORMATS)

.venv-%/.made: pyproject.toml
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install -qq --disable-pip-version-check --editable ".[$*,export]" "pytest>=8.3" "hypothesis>=6.100" "scikit-learn>=1.5"
	@touch $@

$(VENV)/.train: pyproject.toml
	@echo "--- environment: $(VENV) (about two minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	$(RUN) -m pip install -qq --disable-pip-version-check --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) .venv-litert .venv-coreml
