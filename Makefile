# make check      everything that must hold before a change lands
# make test       the quick loop: house rules and `cargo test`
# make campaign   the full numbers: 50 kills, 300 power cuts, more seeds, mutants
# make demo       all 336,776 flights through every pair of clients, as a table
# make bench      side by side with a real RabbitMQ and a real Kafka, as ratios

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := check

export STANDPIPE_CACHE ?= $(HOME)/.cache/standpipe
export CARGO_TARGET_DIR ?= $(STANDPIPE_CACHE)/target
export STANDPIPE_BIN ?= $(CARGO_TARGET_DIR)/release/standpipe
export RUSTDOCFLAGS ?= -D warnings

PYTEST := $(STANDPIPE_CACHE)/python/bin/python -m pytest -c bridge/tests/e2e/pytest.ini
LONG := --timeout 3600 -o faulthandler_timeout=3630

.PHONY: check test setup house fmt lint unit docs release e2e campaign floods seeds backlog mutants demo bench

check: setup house fmt lint unit docs release e2e
	@echo "check: all passed"

test:
	@scripts/setup.sh build
	@$(MAKE) --no-print-directory house unit

setup:
	@scripts/setup.sh

house:
	python3 scripts/house.py

fmt:
	cargo fmt --all --check

lint:
	cargo clippy --workspace --all-targets -- -D warnings

unit:
	cargo test --workspace

docs:
	cargo doc --workspace --no-deps

release:
	cargo build --release

e2e:
	$(PYTEST) bridge/tests/e2e

campaign: setup release
	@scripts/setup.sh campaign
	@$(MAKE) --no-print-directory floods seeds backlog mutants

# 50 kills, 300 power cuts, all flights, ten times the hostile peers.
floods:
	E2E_KILLS=50 E2E_CUTS=300 E2E_FLIGHTS=336776 E2E_SCALE=10 $(PYTEST) bridge/tests/e2e $(LONG)

# Power cuts, flipped bits and property tests, thousands of each.
seeds:
	PROPTEST_CASES=20000 POWER_SEEDS=5000 FLIPS=1000 FLIPS_MB=200 cargo test --profile campaign --workspace

# 100 million messages of 16 octets and 20 million of 100 in one queue, and 10 million settled in random
# order; fails above 200 MB of memory.
backlog:
	cargo build --release -p standpipe-native --example backlog --example ack_order
	rm -rf $(STANDPIPE_CACHE)/backlog
	$(CARGO_TARGET_DIR)/release/examples/backlog $(STANDPIPE_CACHE)/backlog 20000000 100
	rm -rf $(STANDPIPE_CACHE)/backlog
	$(CARGO_TARGET_DIR)/release/examples/backlog $(STANDPIPE_CACHE)/backlog 100000000 16
	rm -rf $(STANDPIPE_CACHE)/backlog
	$(CARGO_TARGET_DIR)/release/examples/ack_order $(STANDPIPE_CACHE)/backlog 10000000 100000
	rm -rf $(STANDPIPE_CACHE)/backlog

# The pure state machines; scripts/mutants.sh fails below 90% caught.
mutants:
	scripts/mutants.sh

demo: setup release
	E2E_FLIGHTS=336776 $(PYTEST) bridge/tests/e2e/test_flights.py -s $(LONG)

bench: setup release
	cargo build --release -p standpipe-native --example store_figures
	$(CARGO_TARGET_DIR)/release/examples/store_figures $(STANDPIPE_CACHE)/store-figures
	rm -rf $(STANDPIPE_CACHE)/store-figures
	cargo build --release -p standpipe-native --example write_amplification
	$(CARGO_TARGET_DIR)/release/examples/write_amplification $(STANDPIPE_CACHE)/write-amplification
	$(STANDPIPE_CACHE)/python/bin/python bridge/benches/run.py
