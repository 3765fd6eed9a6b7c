# `make demo` and `make test` need only git, make, python3 (3.11 or newer) and python3-venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-full lint clean

demo: $(VENV)/.ready
	$(BIN)/render-scenes --out demo/rooms.h5 --frames 48 --overwrite
	$(BIN)/render-scenes view demo/rooms.h5 --out demo/rooms.png
	$(BIN)/python -m scenelift.adapt.demo_photos demo/photos
	$(BIN)/adapt-train --recipe demo --synthetic demo/rooms.h5 --real demo/photos --out demo/run --overwrite
	@echo "The pictures are in $(CURDIR)/demo/rooms.png, the data in $(CURDIR)/demo/rooms.h5,"
	@echo "the report of a minute's training in $(CURDIR)/demo/run/report.html: it shows the workflow, not adaptation."

test: $(VENV)/.ready-dev lint
	$(BIN)/pytest -q -m "not slow"

# The full counts of kills, mutations and long runs; writes docs/reliability.md.
test-full: $(VENV)/.ready-dev lint
	$(BIN)/python -m scenelift.benchmarks.reliability --out docs/reliability.md

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/pip install --quiet --editable ".[dev,engines,onnx,timm]"
	touch $@

clean:
	rm -rf $(VENV) demo
