# Every target does the set-up that it needs, so each works as the only command on a fresh machine. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# A fresh rustup is not on the PATH of a shell that was open before it.
export PATH := $(HOME)/.cargo/bin:$(PATH)

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
# The programs (gatehouse-admin, the test host) are compiled once, for dist and for their tests alike.
PROGRAMS := --profile tool --locked

# The build itself; a target that goes on after it counts its own step as well.
STEPS := 4
demo: STEPS := 5

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install all that the other targets need (they do it themselves, too)
	@scripts/setup rust lint deny wasm envoy pyjwt openssl curl postgres redis skopeo browser

.PHONY: build
build: ## compile into dist/: filters/gatehouse_*.wasm with their .meta.json, gatehouse.wasm with all of them, and gatehouse-admin
	@scripts/step 1 of $(STEPS) toolchain
	@scripts/setup rust wasm
	@scripts/step 2 of $(STEPS) filters
	@scripts/wasm-build
	@scripts/step 3 of $(STEPS) descriptions
	@$(CARGO) run -q --locked -p gatehouse-meta -- dist/filters
	@scripts/step 4 of $(STEPS) gatehouse-admin
	@scripts/admin-build
	@du -bh dist/gatehouse-admin dist/gatehouse.wasm dist/filters/*.wasm

.PHONY: test
test: build ## run every test: native, admin service (SQLite and PostgreSQL), filters on a pretend proxy, in a real Envoy, and in a Kong if there is one
	@scripts/setup envoy pyjwt openssl postgres redis browser
	@scripts/test

.PHONY: demo
demo: ports build ## a real Envoy with the filters on 127.0.0.1:8000, the admin service on 8001, and a tour (ONCE=1 ends after it)
	@scripts/step 5 of 5 demo
	@scripts/setup envoy curl
	@ONCE=$(ONCE) scripts/demo

.PHONY: ports
ports:
	@scripts/demo --check-ports

.PHONY: bench
bench: build ## what each filter costs in a real Envoy, and in a Kong if there is one, beside their own (ONLY=key_auth measures only these)
	@scripts/setup envoy valgrind
	@scripts/bench $(ONLY)

.PHONY: conformance
conformance: build ## other people's test suites, asked of the filters (docs/conformance.md); WRITE=1 writes the tables there
	@$(if $(WRITE),GATEHOUSE_WRITE_CONFORMANCE=1) $(CARGO) test --locked -p jose --test other_suites -- --nocapture
	@$(if $(WRITE),GATEHOUSE_WRITE_CONFORMANCE=1) $(CARGO) test $(PROGRAMS) -p wasm-tests --test conformance -- --nocapture

.PHONY: secrets
secrets: build ## planted secrets, searched in every log, metric, dump, answer, event, database, memory and package (docs/secrets.md)
	@scripts/setup envoy postgres redis
	@scripts/secrets

.PHONY: growth
growth: build ## how cost grows with the number of consumers, networks, keys, filters, masks and bytes; needs valgrind
	@scripts/setup envoy valgrind
	@scripts/bench --growth

.PHONY: fuzz
fuzz: ## hostile input for every parser, and a table (SECONDS=600 of processor time for each target, TARGETS="keys tokens")
	@scripts/fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(TARGETS)

.PHONY: torture
torture: build ## requests that no careful client sends, through Envoy and a Kong if there is one (REQUESTS=1000000 KONG_REQUESTS=100000)
	@scripts/setup envoy
	@scripts/torture "$(REQUESTS)" "$(KONG_REQUESTS)"

.PHONY: faults
faults: build ## everything around the filters fails, and docs/faults.md says what was lost: 25 minutes with a Kong, 15 without
	@scripts/setup envoy postgres redis
	@scripts/faults

.PHONY: load
load: ## gatehouse-admin with 1,000,000 consumers on SQLite and PostgreSQL: every endpoint, the list of changes, a snapshot
	@scripts/setup rust postgres redis
	@scripts/service-load

.PHONY: lint
lint: ## formatting, clippy without a warning, the boundaries between the layers, and licences
	@scripts/setup rust lint cxx wasm deny
	@$(CARGO) fmt --all --check
	@$(CARGO) fmt --manifest-path wasm-tests/sdk-filter/Cargo.toml --check
	@$(CARGO) fmt --manifest-path tools/fuzz/Cargo.toml --check
	@$(CARGO) fmt --manifest-path tools/fuzz-admin/Cargo.toml --check
	@scripts/check-boundaries
	@scripts/bench --render --check
	@$(CARGO) clippy --locked --all-targets -q -- -D warnings
	@scripts/wasm-build --lint
	@$(CARGO) clippy $(PROGRAMS) -p gatehouse-admin -p wasm-tests --all-targets -q -- -D warnings
	@$(CARGO) clippy --locked --manifest-path tools/fuzz/Cargo.toml --target-dir $(TARGET_DIR) --all-targets -q -- -D warnings
	@$(CARGO) clippy $(PROGRAMS) --manifest-path tools/fuzz-admin/Cargo.toml --target-dir $(TARGET_DIR) --all-targets -q -- -D warnings
	@$(CARGO) clippy --locked --manifest-path wasm-tests/sdk-filter/Cargo.toml --target-dir $(TARGET_DIR)/sdk-filter --lib --examples -q -- -D warnings
	@scripts/deny licenses bans sources
	@echo "lint: nothing to complain about"

.PHONY: audit
audit: ## known vulnerabilities of the crates that we use; needs github.com
	@scripts/setup rust deny
	@scripts/deny advisories

.PHONY: package
package: ## dist/packages/: archives, images, bills of materials, licences, sums (FILTERS="key_auth cors" packs only these)
	@scripts/package --check $(FILTERS)
	@GATEHOUSE_WASM_OPT=$${GATEHOUSE_WASM_OPT:-yes} $(MAKE) build STEPS=5
	@scripts/step 5 of 5 repeatable
	@scripts/admin-build --repeatable
	@scripts/package $(FILTERS)

.PHONY: clean
clean: ## remove what was built, keep what was installed
	rm -rf dist target
