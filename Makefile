# On a fresh Debian with python3 and make, `make demo` and `make test` install whatever else they need.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := config drivers gateway cloud_bridge simulator tests

.PHONY: help demo test faults bench soak lint clean

help:
	@echo 'make demo    all of it on this machine: simulated UPSs, gateway, broker, bridge'
	@echo 'make test    lint, the real peer programs, every test'
	@echo 'make faults  every fault of a wire, drawn anew many times; FAULT_ROUNDS=50 for longer'
	@echo 'make bench   how fast and how small it is, as tables, beside NUT, modpoll and thingsboard-gateway; PARTS="drain disk" for some'
	@echo 'make soak    24 hours at a hundred times the speed: does memory, do files or handles grow? SOAK="--hours 72" for longer'
	@echo 'make lint    ruff, mypy and the import rules'
	@echo 'make clean   remove what these targets made'

demo: .venv/app
	$(BIN)/ridethrough demo

test: lint
	tests/peers/install
	$(BIN)/python -m pytest -n 3 --dist loadfile

faults: .venv/dev
	FAULT_ROUNDS=$${FAULT_ROUNDS:-10} $(BIN)/python -m pytest -o timeout=0 tests/drivers/test_faults_table.py tests/gateway/test_faults.py

bench: .venv/app
	tests/peers/install
	simulator/rig/peers/install bench
	$(BIN)/python -m simulator.rig.bench $(PARTS)

soak: .venv/app
	simulator/rig/peers/install soak
	$(BIN)/python -m simulator.rig.soak $(SOAK)

lint: .venv/dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .peers .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are in .venv, so that removing it is enough to begin again.
.venv/app: .venv/made setup.cfg pyproject.toml
	$(PIP) install --quiet --editable '.[cloud]'
	@touch $@

.venv/dev: .venv/made setup.cfg pyproject.toml
	$(PIP) install --quiet --editable '.[cloud,dev]'
	@touch $@ .venv/app

# Debian's python3 comes without venv. As root it is installed; else the one line to run is told.
.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	if [ "$$(id -u)" -eq 0 ]; then \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y python3-venv; \
	else \
		echo 'Run as root: apt-get update && apt-get install -y python3-venv' >&2; exit 1; \
	fi
	$(PYTHON) -m venv --clear .venv
	@touch $@
