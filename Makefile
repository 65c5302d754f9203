# `make run` and `make test` set everything up. `make help` lists the rest.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
STACK ?= .reelflow/stack
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := true
export TF_CPP_MIN_LOG_LEVEL := 2

RUN_OPTIONS = --out "$(OUT)" $(if $(PARAMS),--params "$(PARAMS)") \
	$(if $(DATA),--data "$(DATA)") $(if $(WEIGHTS),--weights "$(WEIGHTS)") \
	$(if $(BACKBONES),--backbones "$(BACKBONES)") $(if $(HEADS),--heads "$(HEADS)") \
	$(if $(PROTOCOL),--protocol "$(PROTOCOL)") $(if $(MODEL),--model "$(MODEL)") \
	$(if $(LABEL_FOLDER),--label-folder "$(LABEL_FOLDER)") $(if $(DROP_SMALL_CLASSES),--drop-small-classes)

.PHONY: help run repro ui stack stack-down stack-status stack-backup stack-restore test test-all test-slow test-browser test-cluster test-docker test-s3 test-tuf test-arm64 check images wheel edge-image lock clean

help: ## List the targets
	@sed -n 's/^\([a-z0-9 -]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: $(VENV)/run ## Run the pipeline: DATA= WEIGHTS= OUT= BACKBONES= HEADS= PROTOCOL= MODEL= PARAMS= LABEL_FOLDER=top|parent DROP_SMALL_CLASSES=1
	@$(BIN)/python -m pipelines run $(RUN_OPTIONS)

repro: $(VENV)/run ## Run the same steps as DVC stages
	@git rev-parse --git-dir >/dev/null 2>&1 || $(BIN)/dvc config --local core.no_scm true
	@PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro

UI_PORT = 5000
ui: $(VENV)/run ## Open MLflow on the runs so far
	@echo 'open http://127.0.0.1:$(UI_PORT)/#/experiments?workflowType=machine_learning (UI_PORT= names another port)'
	$(BIN)/mlflow ui --port "$(UI_PORT)" --backend-store-uri "$$($(BIN)/python -c 'from reelflow.settings import Settings; print(Settings().tracking_uri)')"

# Two workers, each with one thread: threads that wait for each other cost several times the work.
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 $(BIN)/pytest

stack: $(VENV)/stack ## Start a tracking server for a team: OPTIONS="--bind 0.0.0.0 --port 5000 --names mlflow.example.com"
	$(if $(shell docker compose version 2>/dev/null),,ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { apt-get update && apt-get install -y postgresql; })
	@$(BIN)/python -m infra.stack up --folder "$(STACK)" $(OPTIONS)

stack-down stack-status stack-backup: stack-%: $(VENV)/stack ## Stop it, tell what answers, back it up
	@$(BIN)/python -m infra.stack $* --folder "$(STACK)" $(OPTIONS)

stack-restore: $(VENV)/stack ## Replace what it holds by a backup: BACKUP=DIR, else the newest
	@$(BIN)/python -m infra.stack restore $(if $(BACKUP),"$(BACKUP)") --replace --folder "$(STACK)" $(OPTIONS)

test: $(VENV)/dev ## Run the ordinary tests
	$(PYTEST) -n 2 --dist worksteal

test-all: $(VENV)/dev ## Run every kind of test whole, and end with one table: KINDS="docker slow"
	@$(BIN)/python -m tests.everything $(KINDS)

# Slow tests have a third worker: one waits for half an hour, for ends of MLflow's outages.
test-slow test-browser test-cluster test-s3: test-%: $(VENV)/dev ## Run the tests of one marker
	$(if $(filter browser slow,$*),command -v chromium >/dev/null || { apt-get update && apt-get install -y chromium; })
	$(if $(filter cluster,$*),ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { apt-get update && apt-get install -y postgresql; })
	$(if $(filter s3 slow,$*),command -v radosgw >/dev/null || { apt-get update && apt-get install -y --no-install-recommends ceph-common ceph-mon ceph-osd radosgw; })
	$(if $(filter slow,$*),command -v mosquitto >/dev/null || { apt-get update && apt-get install -y --no-install-recommends mosquitto; })
	$(if $(filter slow,$*),/usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0")' 2>/dev/null || { apt-get update && apt-get install -y --no-install-recommends python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad; })
	$(if $(filter slow,$*),ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || { apt-get update && apt-get install -y --no-install-recommends libfaketime; })
	$(if $(filter slow,$*),command -v strace >/dev/null || { apt-get update && apt-get install -y --no-install-recommends strace; })
	$(if $(filter slow,$*),command -v mender >/dev/null || ! apt-cache show mender-client >/dev/null 2>&1 || apt-get install -y --no-install-recommends mender-client mender-artifact)
	$(if $(filter slow,$*),command -v softhsm2-util >/dev/null && command -v pkcs11-tool >/dev/null || { apt-get update && apt-get install -y --no-install-recommends softhsm2 opensc; })
	$(if $(filter slow,$*),command -v ffprobe >/dev/null || { apt-get update && apt-get install -y --no-install-recommends ffmpeg; })
	$(PYTEST) -m '$*$(if $(filter-out slow,$*), and not slow)' $(if $(filter slow,$*),-n 3 --dist loadgroup)

test-docker: $(VENV)/dev wheel ## Run the tests that need a Docker engine, on images of this checkout
	command -v docker-registry >/dev/null || { apt-get update && apt-get install -y docker-registry; }
	docker info >/dev/null 2>&1 || infra/images/engine.sh
	$(MAKE) --no-print-directory images IMAGES=all PARAMS= PUSH= LOAD=
	$(PYTEST) -m docker

test-tuf: $(VENV)/dev ## Run the conformance suite of TUF clients: TUF_CONFORMANCE=DIR, a checkout of theupdateframework/tuf-conformance v2.4.0
	$(if $(TUF_CONFORMANCE),command -v faketime >/dev/null || { apt-get update && apt-get install -y --no-install-recommends faketime; })
	$(if $(TUF_CONFORMANCE),TUF_CONFORMANCE="$(abspath $(TUF_CONFORMANCE))") $(PYTEST) -m tuf -rs

test-arm64: $(VENV)/dev edge-image ## Run the tests of arm64, under emulation elsewhere
	$(PYTEST) -m arm64

check: $(VENV)/dev ## Lint, types, import rules, docs in step
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.docs_in_step

images: $(VENV)/dev build/scan/ready ## Build, test and scan the images that PARAMS= needs, or IMAGES="frames features", IMAGES=all: BASE=IMAGE@sha256:... PUSH=registry/prefix LOAD=kind|k3s|containerd
	@$(BIN)/python -m infra.images.build $(IMAGES) $(if $(PARAMS),--params "$(PARAMS)") \
		$(if $(BASE),--base "$(BASE)") $(if $(PUSH),--push "$(PUSH)") $(if $(LOAD),--load "$(LOAD)")

wheel: $(VENV)/dev ## Build what a device installs into dist/: copy it there, and run its install.sh
	rm -rf dist build/lib build/bdist.*
	SOURCE_DATE_EPOCH=315532800 $(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w dist .
	cp infra/edge/install.sh infra/edge/*.service infra/edge/*.timer infra/edge/*.conf infra/edge/mender/reelflow-bundle requirements/edge.txt dist/
	cd dist && sha256sum *.whl edge.txt *.service *.timer *.conf reelflow-bundle >SHA256SUMS

edge-image: wheel ## Build the image of the device's command: ARCH=aarch64|x86_64 BASE=IMAGE@sha256:... PUSH=registry/prefix LOAD=kind|k3s|containerd
	docker info >/dev/null 2>&1 || infra/images/engine.sh
	$(if $(filter x86_64,$(ARCH)),,infra/edge/emulation.sh)
	@$(BIN)/python -m infra.edge.image $(or $(ARCH),aarch64) $(if $(BASE),--base "$(BASE)") \
		$(if $(PUSH),--push "$(PUSH)") $(if $(LOAD),--load "$(LOAD)")

COMPILE = $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links -c requirements/constraints.in
COMPILE_IMAGE = $(COMPILE) --python-platform x86_64-manylinux_2_28 -c requirements/run.txt
LEFT_OUT = $(shell sed '/^#/d; s/^/--no-emit-package /' infra/images/left-out.txt)
LEFT_OUT_BESIDE_DVC = $(subst --no-emit-package cffi,,$(subst --no-emit-package cryptography,,$(subst --no-emit-package pycparser,,$(LEFT_OUT))))

lock: $(VENV)/dev ## Renew the hashed requirement files
	for target in base run:--extra=pipeline,--extra=update dev:--extra=pipeline,--extra=update,--extra=stack,--extra=dev \
		stack:--extra=pipeline,--extra=stack,-c,requirements/run.txt \
		edge:--extra=mqtt,--extra=serve,--extra=update,-c,requirements/run.txt; do \
		$(COMPILE) --universal $$(echo $${target#*:} | tr , ' ') \
			pyproject.toml -o requirements/$${target%%:*}.txt; \
	done
	echo uv | $(COMPILE) --universal - -o requirements/uv.txt
	$(COMPILE) --universal infra/images/scan.in -o requirements/scan.txt
	for file in $(wildcard components/*/requirements*.in); do \
		name=$$(echo $$file | sed 's#components/\(.*\)/requirements\(.*\)\.in#\1\2#'); \
		grep -q "^dvc" $$file && left_out="$(LEFT_OUT_BESIDE_DVC)" || left_out="$(LEFT_OUT)"; \
		$(COMPILE_IMAGE) $$left_out $$file -o requirements/images/$$name.txt; \
	done
	$(COMPILE_IMAGE) --no-deps infra/images/kfp.in -o requirements/images/kfp.txt
	for name in mlflow channel; do $(COMPILE_IMAGE) infra/images/$$name.in -o requirements/images/$$name.txt; done

clean: ## Remove what runs and builds leave; keeps .venv and MLflow
	rm -rf out artifacts build dist .reelflow *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/uv: requirements/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r requirements/uv.txt
	@touch $(BIN)/uv

$(VENV)/run $(VENV)/dev $(VENV)/stack: $(VENV)/%: requirements/%.txt pyproject.toml $(BIN)/uv
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/$*.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

build/scan/ready: requirements/scan.txt $(BIN)/uv
	$(BIN)/uv venv -q --clear --python $(BIN)/python build/scan
	$(BIN)/uv pip install -q --compile-bytecode --python build/scan/bin/python --require-hashes -r requirements/scan.txt
	@touch $@
