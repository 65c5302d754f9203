# `make run` and `make test` set everything up. `make help` lists the rest.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
PARAMS ?= params.yaml
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := true
export TF_CPP_MIN_LOG_LEVEL := 2

RUN_OPTIONS = --params "$(PARAMS)" --out "$(OUT)" \
	$(if $(DATA),--data "$(DATA)") $(if $(WEIGHTS),--weights "$(WEIGHTS)") \
	$(if $(BACKBONES),--backbones "$(BACKBONES)") $(if $(HEADS),--heads "$(HEADS)") \
	$(if $(PROTOCOL),--protocol "$(PROTOCOL)") $(if $(MODEL),--model "$(MODEL)") \
	$(if $(DROP_SMALL_CLASSES),--drop-small-classes)

.PHONY: help run repro ui test test-slow test-browser check lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: $(VENV)/run ## Run the pipeline: DATA= WEIGHTS= OUT= BACKBONES= HEADS= PROTOCOL= MODEL= PARAMS= DROP_SMALL_CLASSES=1
	@$(BIN)/python -m pipelines run $(RUN_OPTIONS)

repro: $(VENV)/run ## Run the same steps as DVC stages
	@PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro

ui: $(VENV)/run ## Open MLflow on the runs so far
	$(BIN)/mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}"

test: $(VENV)/dev ## Run the ordinary tests
	$(BIN)/pytest -n 2

test-slow test-browser: test-%: $(VENV)/dev ## Run the tests of one marker
	$(if $(filter browser,$*),command -v chromium >/dev/null || { apt-get update && apt-get install -y chromium; })
	$(BIN)/pytest -m $*

check: $(VENV)/dev ## Lint, types, import rules, docs in step
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.docs_in_step

lock: $(VENV)/dev ## Renew the hashed requirement files
	for target in base: run:--extra=pipeline dev:--extra=pipeline,--extra=dev; do \
		$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url --no-emit-find-links $$(echo $${target#*:} | tr , ' ') \
			pyproject.toml -o requirements/$${target%%:*}.txt; \
	done
	echo uv | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links - -o requirements/uv.txt

clean: ## Remove what runs and builds leave; keeps .venv and MLflow
	rm -rf out artifacts build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/uv: requirements/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r requirements/uv.txt
	@touch $(BIN)/uv

$(VENV)/run $(VENV)/dev: $(VENV)/%: requirements/%.txt pyproject.toml $(BIN)/uv
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/$*.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@
