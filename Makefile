# GNU make 3.81 or newer. `make` alone lists the targets.

LAB = 02_titanic
BENCH = local_run
ARGS =

BIN = .venv/bin
READY = .venv/ready

# One more than the processors of a small machine: a third of what the workers do is waiting. Each
# takes the next file of tests, the longest first (tests/longest_first.txt), and computes in one
# thread: with more, each would wait for its own, and spin meanwhile.
WORKERS = 3
ONE_THREAD = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(ONE_THREAD) $(BIN)/python -m pytest \
  -n $(WORKERS) --dist loadfile --no-loadscope-reorder

help: ## this list
	@echo 'Usage: make TARGET [NAME=VALUE]...'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'PYTHON=... names the Python to set up with; else it is the newest of 3.11 to 3.13 here.'

run: $(READY) ## run a lab as notebook and as pipeline: LAB=02_titanic ARGS="-p cv_folds=3"
	@echo 'The lab $(LAB) runs twice now. First as a notebook, one cell after the other.'
	@echo 'Then as a pipeline: Kale makes a step of each group of tagged cells, each step is a process'
	@echo 'of its own, as it is a container on Kubeflow, and gets only what the steps before it saved.'
	@echo 'Both must come to the same metrics.'
	@echo
	@$(BIN)/fastkf run '$(LAB)' $(ARGS)
	@echo
	@echo 'The report has the graph, the plots and the logs: open it in a browser, or type'
	@echo '  $(BIN)/fastkf open'
	@echo 'Now: make lab'

test: $(READY) ## run every test: ARGS="tests/commands/test_cli.py -x"
	@$(PYTEST) --durations 15 $(ARGS)

# These hardly wait, and each worker imports for itself.
test-fast: $(READY) ## run the tests of a minute: units, checks, commands
	@$(PYTEST) -n 2 -m 'not slow' \
	  tests/unit tests/commands $(ARGS)

coverage: $(READY) ## run every test, and measure what they run of fastkf
	@$(PYTEST) --cov $(ARGS)

lab: $(READY) ## open the labs in JupyterLab, with a Kubeflow Pipelines: ARGS=--no-browser
	@$(BIN)/fastkf lab $(ARGS)

lint: $(READY) ## check style, types, sizes, dependencies, what may import what, and the text
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -n 0 tests/unit/test_house.py
	@$(BIN)/python tools/prose.py

format: $(READY) ## put the style of the code and the notebooks right
	@$(BIN)/python tools/show_tags.py
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(READY) ## measure: BENCH=local_run, commands, steps, regression, server, strangers, one_click, set_up
	@$(BIN)/python 'benchmarks/$(BENCH).py' $(ARGS)

site: $(READY) ## build the course as a web site, site/_build/html
	@$(BIN)/python -m sphinx -q -W --keep-going -c site . site/_build/html $(ARGS)
	@echo 'open site/_build/html/index.html'

figures: $(READY) ## draw the figures of concepts, notebooks/images/concept_*.svg
	@$(BIN)/python -m tools.figures

slides: $(READY) ## make slides of the labs for a class, site/_build/slides
	@$(BIN)/python -m tools.slides $(ARGS)

quality: $(READY) ## measure five pages of the built site: accessibility, best practices
	@$(BIN)/python tools/site_quality.py

links: $(READY) ## ask every page that the course links to whether it is there
	@$(BIN)/python -m sphinx -q -b linkcheck -c site . site/_build/links $(ARGS)

lock: $(READY) ## make requirements.txt from pyproject.toml, and the step image's lists: ARGS="--upgrade-package kfp"
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --extra course --group dev pyproject.toml --output-file requirements.txt --no-emit-index-url \
	  --custom-compile-command 'make lock' $(ARGS)
	@$(BIN)/python tools/step_lists.py

set-up: $(READY) ## only set up the environment, .venv

clean: ## remove the environment and what tools leave behind (not your runs and data)
	rm -rf .venv .coverage .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.DEFAULT:
	@echo 'make: there is no target $@; `make` alone lists them' >&2
	@exit 2

# Written last, so a set-up that was interrupted is done again; so is one for another folder, and
# one with another Python than the one named.
$(READY): requirements.txt pyproject.toml tools/set_up.py
	@python=$$(sh tools/find_python.sh '$(PYTHON)') && "$$python" tools/set_up.py
	@echo '$(CURDIR) $(PYTHON)' > $@

MADE_FOR = $(shell $(BIN)/python -c pass 2>/dev/null && cat $(READY) 2>/dev/null)
ifneq ($(firstword $(MADE_FOR)),$(firstword $(CURDIR)))
$(READY): again
endif
ifneq ($(PYTHON),)
ifneq ($(lastword $(MADE_FOR)),$(PYTHON))
$(READY): again
endif
endif

.PHONY: help run test test-fast coverage lab lint format bench site slides quality links figures lock \
  set-up clean again
