# Everything a newcomer needs: make run, make test. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home
export DO_NOT_TRACK := 1
export DAGSTER_DISABLE_TELEMETRY := yes
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1
HF_HUB_OFFLINE ?= 1
export HF_HUB_OFFLINE

.PHONY: help install run update test benchmark-cohort benchmark-models benchmark-adapters benchmark-summaries benchmark-summaries-public benchmark-embeddings benchmark-risk benchmark-prediction benchmark-serving ui lint types validate doctor dictionary lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## Create .venv and install the pinned packages

$(VENV)/.installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || [ -x $(VENV)/bin/python ] || command -v python3 >/dev/null || { echo "Python 3.11 is needed: install it, or make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || { command -v $(PYTHON) >/dev/null && $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV); }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$(VENV) has another Python than 3.11: rm -rf $(VENV) and make PYTHON=/path/to/python3.11 install"; exit 1; }
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@$(BIN)/python -m pip check
	@touch $@

run: install  ## Build the demo hospital, materialize everything, say where the results are
	$(BIN)/clinical-assets demo

update: install  ## Ingest what landed, materialize what follows (CLINICAL_DATA=..., without the UI)
	$(BIN)/clinical-assets run

test: install  ## Run the tests, two files at a time (WORKERS=...)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

benchmark-cohort: install  ## Build the warehouse on GiBleed repeated to 5 million facts; seconds and memory
	$(BIN)/python benchmarks/cohort.py

benchmark-models: install  ## Labels of language models: speed against the seed's way, constrained generation and the floor
	$(BIN)/python benchmarks/model_labels.py

benchmark-adapters: install  ## Training of adapters: speed and memory against the seed's way; QLoRA where a GPU is
	$(BIN)/python benchmarks/adapters.py

benchmark-summaries: install  ## Metrics of 1,000 summaries: speed against a loop of bert-score calls, with the same scores
	$(BIN)/python benchmarks/summary_metrics.py

benchmark-summaries-public: install  ## The extractive summarizer on public texts against lead and copy: ROUGE with intervals
	$(BIN)/python benchmarks/summaries_public.py

benchmark-embeddings: install  ## Encode 100,000 lines of code text: speed against one at a time, with the same vectors
	$(BIN)/python benchmarks/embeddings.py

benchmark-risk: install  ## Windows over 5 million facts; risk models on Diabetes-130, GiBleed and UCI heart, with limits
	$(BIN)/python benchmarks/risk.py
	PYTHONPATH=. $(BIN)/python benchmarks/risk_public.py

benchmark-prediction: install  ## Models and constants on two public trials and UCI heart, with site transfer and limits
	$(BIN)/python benchmarks/prediction_public.py

benchmark-serving: install  ## Latency of the server under 1, 4 and 16 callers (wrk, or aiohttp where it is not installed)
	$(BIN)/python benchmarks/serving.py

ui: install  ## Dagster UI with sensors on http://127.0.0.1:3000
	$(BIN)/clinical-assets ui

lint: install  ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install  ## mypy
	$(BIN)/mypy

validate: install  ## Load the code location as the daemon does
	$(BIN)/dagster definitions validate -w workspace.yaml

doctor: install  ## Find what would stop the platform here
	$(BIN)/clinical-assets doctor

dictionary: install  ## Write docs/data_dictionary.md from the warehouse
	$(BIN)/clinical-assets dictionary

lock: install  ## Write requirements.lock (hashes) from pyproject.toml
	bash deploy/lock.sh

clean:  ## Remove the demo data, Dagster's records and dbt's target; keep .venv
	rm -rf data dbt_cohort/target dbt_cohort/logs
	find $(DAGSTER_HOME) -mindepth 1 ! -name dagster.yaml -delete 2>/dev/null || true
