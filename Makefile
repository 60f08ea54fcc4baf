# make train   everything from nothing: environment, default dataset, RankNet over MEmCom, its test and a report
# make test    everything the project checks about itself, with coverage
# make clean   remove the environment
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: train test clean

train: $(VENV)/.train
	$(RUN) train.py fit --config ranknet.yaml

test: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(RUN) -m pytest --cov --cov-report=term:skip-covered

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
	rm -rf $(VENV)
