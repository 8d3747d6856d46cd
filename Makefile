# make up      install what is missing, then start the whole service on this machine
# make test    install what is missing, then run every test that fits in 45 minutes
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NPM_CONFIG_UPDATE_NOTIFIER := false

PYTHON_SOURCES := client catalogue authenticator spawner gateway server_extension storage hub_config local_cloud images tests benchmarks setup.py
LAB_SOURCES := $(shell find labextension -type f -not -path '*/node_modules/*' -not -path 'labextension/lib/*' 2>/dev/null)

.PHONY: help install install-test up images lint format check test faults conformance soak ui-check screenshots reference clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.stamp-system $(VENV)/.stamp-python $(VENV)/.stamp-node $(VENV)/.stamp-lab ## everything `naas up` needs; does nothing twice

install-test: install $(VENV)/.stamp-test ## also what the tests need (Chromium, Ceph, debootstrap, docker-registry)

up: install ## start the service; Ctrl-C stops it
	@$(BIN)/naas up

images: install ## container images, in the local Docker engine (images/build.sh --help)
	@images/build.sh

$(VENV)/.stamp-system: tools/system-packages.sh
	@tools/system-packages.sh fuse3 $$(python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv)
	@mkdir -p $(VENV) && touch $@

$(BIN)/python: | $(VENV)/.stamp-system
	@echo "Making .venv"
	@python3 -m venv $(VENV)
	@$(BIN)/pip install -q -U pip

$(VENV)/.stamp-python: setup.py pyproject.toml | $(BIN)/python
	@echo "Installing Python packages"
	@PYTHONWARNINGS=ignore $(BIN)/pip install -q -e '.[test]'
	@touch $@

$(VENV)/.stamp-node: local_cloud/package-lock.json tools/node.sh | $(VENV)/.stamp-python
	@tools/node.sh
	@echo "Installing npm packages of the proxy and the embedded IAM"
	@cd local_cloud && npm ci --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(VENV)/.stamp-lab: yarn.lock package.json tools/link-labextension.sh server_extension/ipython_config.py $(LAB_SOURCES) | $(VENV)/.stamp-node
	@echo "Building the Lab extension"
	@jlpm install --immutable >$(VENV)/jlpm.log 2>&1 || { tail -30 $(VENV)/jlpm.log; exit 1; }
	@jlpm build:prod >$(VENV)/jlpm.log 2>&1 || { tail -30 $(VENV)/jlpm.log; exit 1; }
	@tools/link-labextension.sh
	@touch $@

$(VENV)/.stamp-test: tools/system-packages.sh | $(VENV)/.stamp-python
	@tools/system-packages.sh chromium fonts-inter radosgw ceph-mon ceph-osd ceph-common faketime \
	  debootstrap docker-compose iproute2 $$(command -v dockerd >/dev/null || echo docker.io) $${CI:+postgresql}
	@tools/system-packages.sh --no-service docker-registry
	@touch $@

lint: ## style of Python and TypeScript
	@test -x $(BIN)/ruff || { echo "Run \`make install\` first."; exit 1; }
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/ruff format --check $(PYTHON_SOURCES)

format: ## mend the style
	$(BIN)/ruff check --fix $(PYTHON_SOURCES)
	$(BIN)/ruff format $(PYTHON_SOURCES)

ui-check: $(VENV)/.stamp-lab
	jlpm lint
	jlpm test

check: install lint ui-check ## lint, types and unit tests, under three minutes
	$(BIN)/mypy
	$(BIN)/pytest -q -m "not server and not browser"

test: install-test lint ui-check ## everything
	$(BIN)/mypy
	tools/run-tests.sh

faults: install-test ## the whole fault table on both stores, real durations and a 5 GiB file (about an hour)
	NAAS_FAULTS=full $(BIN)/pytest tests/faults

conformance: $(VENV)/.stamp-python ## the Healthchecks API as documented: on the embedded server, or HEALTHCHECKS_URL=… HEALTHCHECKS_KEY=…
	$(BIN)/pytest tests/conformance

soak: install-test ## read and write for SOAK_MINUTES (30) over short credentials, on both stores
	SOAK_MINUTES=$${SOAK_MINUTES:-30} $(BIN)/pytest -s tests/faults/test_soak.py

screenshots: install-test ## the pictures of README and docs, taken anew by the browser tests
	NAAS_PICTURES=$(CURDIR)/docs/images $(BIN)/pytest tests/e2e/test_browser.py tests/e2e/test_healthchecks_browser.py

reference: $(VENV)/.stamp-python ## write docs/reference/ from the models
	$(BIN)/naas config reference > docs/reference/settings.md

clean: ## remove what was built, not .naas
	rm -rf $(VENV) node_modules labextension/lib labextension/node_modules local_cloud/node_modules server_extension/naas_server/labextension build *.egg-info
