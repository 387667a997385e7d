.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# In groups, of which one more run beside each other than there are processors: half of a group's time is waiting, for timers,
# containers and retries. The longest come first. A browser drops its connections when an interface of the machine comes or goes, as each sandbox network makes one: its
# tests come before all others, and alone.
LANES ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))
BROWSER_TESTS := $(addprefix tests/,connectors/slack/twin/test_browser.py hitl/console/test_browser.py workers/github_app/test_browser.py)
CONTAINED_TESTS := $(addprefix tests/sandbox/,attacks conformance)
TESTS_alone := tests/sandbox/test_killed_engine.py tests/stack
TESTS_browser := $(BROWSER_TESTS)
# Those of the sample's service, beside the others: each of the two groups has an environment of its own.
SERVICE_TESTS := $(patsubst %,tests/stack/test_%.py,demo killed migrate rehearsed_service storefront)
TESTS_services := $(SERVICE_TESTS)
TESTS_stack := tests/stack $(addprefix --ignore=,$(SERVICE_TESTS))
TESTS_connectors := tests/connectors tests/deploy $(addprefix --ignore=,$(BROWSER_TESTS))
PEOPLE_TESTS := $(addprefix tests/,hitl security activities)
TESTS_people := $(PEOPLE_TESTS) $(addprefix --ignore=,$(BROWSER_TESTS))
TESTS_features := tests/workflows/deploy_feature
TESTS_others := $(addprefix --ignore=,$(BROWSER_TESTS) $(PEOPLE_TESTS) $(TESTS_features) tests/stack tests/connectors tests/deploy tests/sandbox)
TESTS_pulumi := tests/sandbox/pulumi --ignore=tests/sandbox/pulumi/steps
TESTS_steps := tests/sandbox/pulumi/steps
TESTS_contained := $(CONTAINED_TESTS)
TESTS_sandbox := tests/sandbox $(addprefix --ignore=,tests/sandbox/pulumi $(CONTAINED_TESTS))
TESTS_fast-people := $(addprefix tests/,hitl security activities workflows observability)
TESTS_fast-providers := $(addprefix tests/,connectors deploy sandbox)
TESTS_fast-house := $(addprefix tests/,workers docs architecture replay suite)
FAST_GROUPS := $(addprefix test-fast-,people providers house)
RESULTS := .ci/groups
TEST_GROUPS := $(addprefix test-,stack people connectors services others features pulumi steps sandbox contained)
APPROVE ?=
FAIL ?=
# Where bytecode is not kept, each of the thousands of processes that the tests start compiles all of ours anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help:  ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "  FAIL=migration|tests|verify|drift|crash|provider make demo   lets it really fail so, and shows how it recovers"

$(STAMP): requirements.lock pyproject.toml
	@echo "» installing Banksman into $(VENV) (about a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "Banksman needs Python 3.11 to 3.13; set PYTHON=/path/to/python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "python's venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: $(STAMP)  ## Install the banksman command into .venv

.PHONY: demo
demo: install  ## Deploy a feature of a sample service and show its page (APPROVE=auto: without a person; FAIL=WAY: see below)
	@$(BIN)/python -m deploy.local.demo $(if $(filter auto,$(APPROVE)),--approve) $(if $(FAIL),--fail '$(FAIL)')

.PHONY: up
up: install  ## Start the embedded environment in the background
	@$(BIN)/banksman up --detach

.PHONY: down
down: install  ## End the embedded environment; what it keeps stays
	@$(BIN)/banksman down

.PHONY: prepare
prepare: install  ## Get what the tests need and this machine lacks (minutes the first time)
	@$(BIN)/python -m tests.prepare

.PHONY: test
test: prepare  ## Run all tests; what this machine cannot run is skipped with its reason
	@echo "» $(LANES) groups of tests at a time; each is shown when it has ended. Watch: tail -f $(RESULTS)/*.log"
	@rm -rf $(RESULTS); $(MAKE) --no-print-directory test-browser || true
	@$(MAKE) --no-print-directory --jobs=$(LANES) --keep-going --output-sync=target $(TEST_GROUPS) || true
	@echo "» what takes the container engine from all others:"; $(MAKE) --no-print-directory test-alone || true
	@$(BIN)/python -m tests.suite.report browser $(TEST_GROUPS:test-%=%) alone

.PHONY: test-fast
test-fast: install  ## Run the tests of two minutes: those without a server, a container or an embedded environment
	@rm -rf $(RESULTS); $(MAKE) --no-print-directory --jobs=$(LANES) --keep-going --output-sync=target $(FAST_GROUPS) || true
	@$(BIN)/python -m tests.suite.report $(FAST_GROUPS:test-%=%)

.PHONY: test-browser test-alone $(TEST_GROUPS) $(FAST_GROUPS)
$(FAST_GROUPS): MARKED := not alone and not acceptance
$(FAST_GROUPS): FAST := --fast
test-alone: MARKED := alone
test-browser $(TEST_GROUPS): MARKED := not alone and not acceptance
test-browser test-alone $(TEST_GROUPS) $(FAST_GROUPS): test-%:
	@$(BIN)/python -m tests.suite.group $* -m "$(MARKED)" $(FAST) $(TESTS_$*); ended=$$?; \
	  echo; echo "» $*"; cat $(RESULTS)/$*.log; exit $$ended

.PHONY: test-observability
test-observability: prepare  ## Run every goal beside a real collector, Prometheus and log store, and ask each dashboard's questions (minutes)
	@$(BIN)/python -m pytest tests/observability/acceptance

.PHONY: passed
passed: install  ## Tell whether HEAD has passed .ci/run on this machine
	@$(BIN)/python -m tests.suite.passed

.PHONY: check
check: install  ## Format, lint, types, import contracts, spelling, docs in step
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/codespell
	$(BIN)/python -m tests.docs.reference --check

.PHONY: format
format: install  ## Format the code and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: install  ## Measure the overhead as ratios (minutes; on a quiet machine)
	$(BIN)/python -m bench

.PHONY: images
images: install  ## Build the sandbox's images (needs Docker; minutes the first time; PROVIDERS=file.yaml for Pulumi's)
	$(BIN)/python -m deploy.images $(if $(PROVIDERS),--providers $(PROVIDERS))

.PHONY: record-histories
record-histories: install  ## Record replay histories and the command fingerprints anew
	$(BIN)/python -m tests.replay.record

.PHONY: docs
docs: install  ## Write the generated reference pages anew
	$(BIN)/python -m tests.docs.reference

.PHONY: dashboards
dashboards: prepare  ## Write the dashboards anew; draw them, and tell what each query was answered, from a run of every goal (minutes)
	$(BIN)/python -m observability.dashboards
	$(BIN)/python -m pytest tests/observability/acceptance -k "drawn or written" \
	  --pictures docs/images/dashboards --queries docs/queries.md

.PHONY: clean
clean:  ## Remove what was built here: caches and .venv; an environment's data stays
	@test ! -x $(BIN)/banksman || $(BIN)/banksman down
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache bench/results $(RESULTS) .ci/*.txt .ci/*.log
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
