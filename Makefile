# GNU make 3.81 or newer. `make` alone tells what there is.

LAB = 02_titanic
BENCH = local_run
ARGS =

BIN = .venv/bin
READY = .venv/ready

help: ## this list
	@echo 'Usage: make TARGET [NAME=VALUE]...'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'PYTHON=... sets up with another Python than the newest of 3.11 to 3.13 found here.'

run: $(READY) ## run a lab as notebook and as pipeline: LAB=02_titanic ARGS="-p cv_folds=3"
	@$(BIN)/fastkf run '$(LAB)' $(ARGS)

test: $(READY) ## run every test: ARGS="tests/test_doctor.py -x"
	@$(BIN)/python -m pytest -n 2 --dist loadfile --durations 15 $(ARGS)

lint: $(READY) ## check the style of the code and the notebooks
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

format: $(READY) ## put the style of the code and the notebooks right
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lab: $(READY) ## open the labs in JupyterLab
	@$(BIN)/python -m jupyterlab notebooks $(ARGS)

bench: $(READY) ## measure: BENCH=local_run or BENCH=set_up
	@$(BIN)/python 'benchmarks/$(BENCH).py' $(ARGS)

lock: $(READY) ## make requirements.txt from pyproject.toml: ARGS="--upgrade-package kfp"
	@$(BIN)/python tools/set_up.py lock $(ARGS)

set-up: $(READY) ## only set up the environment, .venv

clean: ## remove the environment and what tools leave behind (not your runs and data)
	rm -rf .venv .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made again when the lock or the settings are newer, when it is not whole or was made for
# another folder, and looked at when a Python is named: set_up.py then sees what there is to do.
$(READY): requirements.txt pyproject.toml tools/set_up.py
	@python=$$(sh tools/find_python.sh '$(PYTHON)') && "$$python" tools/set_up.py

ifneq ($(shell test -x $(BIN)/python && head -n 1 $(READY) 2>/dev/null),$(CURDIR))
$(READY): look
endif
ifneq ($(origin PYTHON),undefined)
$(READY): look
endif

.PHONY: help run test lint format lab bench lock set-up clean look
