# Everything runs in .venv, which the first command makes and fills.

PIPELINE ?= digits
TARGET ?=
TRIALS ?=
WORKERS ?=
ENGINE ?=
ARGS ?=
PORT ?= 5000
PYTHON ?= python3
EXTRAS ?= $(if $(shell command -v nvidia-smi 2>/dev/null),cuda,tensorflow jax),onnx,docs,dev

comma := ,
empty :=
space := $(empty) $(empty)
extras := $(subst $(space),$(comma),$(EXTRAS))
bin := .venv/bin
ready := .venv/.ready

pipeline = $(if $(word 2,$(PIPELINE)),'$(PIPELINE)',$(PIPELINE))
named = $(if $(filter command line environment,$(origin PIPELINE)),$(pipeline))
search_options := $(if $(TARGET),--target $(TARGET)) $(if $(TRIALS),--trials $(TRIALS)) \
	$(if $(WORKERS),--workers $(WORKERS)) $(if $(ENGINE),--engine $(ENGINE)) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help install search results ui dashboard promote test lint bench docs table clean

help:  ## what can be made
	@echo "make search       find the smallest model that holds the target"
	@echo "                  PIPELINE=digits TARGET=0.95 TRIALS=100 WORKERS=1 ENGINE=optuna ARGS=..."
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | grep -v '^make search|' \
		| awk -F'|' '{printf "%-17s %s\n", $$1, $$2}'

install: $(ready)  ## make .venv with all that is needed, once

$(ready): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "occam: Python 3.11 or newer is needed; name it with PYTHON=..." >&2; exit 2; }
	@echo "Installing into .venv (once, some minutes) ..."
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --seed --allow-existing --python $(PYTHON) .venv \
		&& uv pip install --quiet --python $(bin)/python -c constraints.txt -e '.[$(extras)]'; \
	else \
		$(PYTHON) -m venv .venv \
		&& $(bin)/python -m pip install --quiet --disable-pip-version-check \
			-c constraints.txt -e '.[$(extras)]'; \
	fi
	@touch $@

search: $(ready)
	@$(bin)/occam search $(pipeline) $(search_options)

results: $(ready)  ## the ladder and the verdict of the last search
	@$(bin)/occam results $(named) $(ARGS)

ui: $(ready)  ## review in MLflow, on PORT=5000
	@$(bin)/occam ui --port $(PORT) $(ARGS)

dashboard: $(ready)  ## Optuna's dashboard on the last search's study, on PORT=5000
	@$(bin)/occam dashboard --port $(PORT) $(ARGS)

promote: $(ready)  ## register the selected model as champion
	@$(bin)/occam promote $(named) $(ARGS)

test: $(ready)  ## run the tests
	@$(bin)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(ready)  ## check style and types
	@$(bin)/ruff format --check .
	@$(bin)/ruff check .
	@$(bin)/mypy

bench: $(ready)  ## measure overhead, memory, start-up, populations
	@$(bin)/python benchmarks/overhead.py
	@$(bin)/python benchmarks/memory.py
	@$(bin)/python benchmarks/startup.py
	@$(bin)/python benchmarks/throughput digits 256 20
	@$(bin)/python benchmarks/throughput mnist 12 6

docs: $(ready)  ## build the documentation into site/, strictly
	@$(bin)/sphinx-build --fail-on-warning --quiet docs site
	@echo "Read site/index.html"

table: $(ready)  ## search every pipeline, some minutes each; write mlruns/table.md
	@$(bin)/python benchmarks/table.py $(if $(TRIALS),--trials $(TRIALS)) $(ARGS)

clean:  ## remove .venv and caches; mlruns/ stays
	rm -rf .venv build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
