# make demo and make test are each enough on a Debian or Ubuntu with Python 3.11: they make .venv and install into it.
# BASE_PYTHON=/path/to/python3.11 chooses the interpreter, WORKERS the number of test processes.

BASE_PYTHON ?= $(shell command -v python3.11 || echo python3)
WORKERS ?= 2
RECIPE ?= examples/demo.yaml
CAPTURED ?= examples/captures/housing.yaml
DEMO_OUT ?= out/demo
BIN := .venv/bin
STAMP := .venv/.installed
USED := bpy, cascadio, cv2, embreex, hypothesis, manifold3d, networkx, open3d, peft, pycocotools.mask, pycolmap, pytest, \
  scipy.ndimage, scipy.optimize, scipy.sparse.linalg, scipy.spatial, torch, trimesh, typer, warp, xatlas
NETWORKS := AutoencoderKL, ControlNetModel, StableDiffusionInpaintPipeline, UNet2DConditionModel

.PHONY: help demo test lint format bench system clean
.DEFAULT_GOAL := help

help: ## what there is to make
	@grep -E '^[a-z]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 12

# half of the cores for the fit: the renderer works beside it, and threads that wait for each other on busy cores stall both
demo: $(STAMP) ## two labelled datasets with reports: of a CAD file, and of a part reconstructed from photographs
	@mkdir -p $(dir $(DEMO_OUT))
	@echo "$(CAPTURED) is reconstructed and rendered meanwhile; what it says goes to $(DEMO_OUT)-captured.log"
	@OMP_NUM_THREADS=$$(( ($$(nproc) + 1) / 2 )) OMP_WAIT_POLICY=passive \
	  $(BIN)/flawsmith run $(CAPTURED) --out $(DEMO_OUT)-captured > $(DEMO_OUT)-captured.log 2>&1 & captured=$$!; \
	  trap 'kill $$captured 2> /dev/null' EXIT INT TERM; \
	  $(BIN)/flawsmith run $(RECIPE) --out $(DEMO_OUT) && \
	  { wait $$captured || { cat $(DEMO_OUT)-captured.log >&2; exit 1; }; }
	@$(BIN)/flawsmith check $(DEMO_OUT)
	@$(BIN)/flawsmith check $(DEMO_OUT)-captured
	@echo "open $(DEMO_OUT)/report.html, $(DEMO_OUT)-captured/report.html and $(DEMO_OUT)-captured-reconstruction/report.html"

# one thread a test process: there is one for each core, and threads that wait for each other on busy cores stall
test: $(STAMP) ## every test that this machine can run
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(STAMP) ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(STAMP) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## render throughput against bare bpy and BlenderProc
	$(BIN)/python benchmarks/render_throughput.py

system: ## shared libraries that pip cannot install
	@$(BASE_PYTHON) tools/check_system.py

$(STAMP): pyproject.toml tools/check_system.py | $(BIN)/python
	@$(BIN)/python tools/check_system.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -e '.[dev]'
	@# bytecode of what is used, also where Python is told to write none: of all that came it would take a minute
	@PYTHONDONTWRITEBYTECODE= TRANSFORMERS_VERBOSITY=error $(BIN)/python -c 'import $(USED); from diffusers import $(NETWORKS)'
	@touch $@

$(BIN)/python:
	@command -v $(BASE_PYTHON) >/dev/null || { \
	  echo "$(BASE_PYTHON) is not here: Blender 4.5 needs Python 3.11 (as root: apt-get install -y python3.11 python3.11-venv," \
	  "or give BASE_PYTHON=/path/to/python3.11)" >&2; exit 2; }
	@$(BASE_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "$(BASE_PYTHON) is not Python 3.11, which Blender 4.5 needs: give BASE_PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(BASE_PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "Python has no ensurepip (as root: apt-get install -y python3.11-venv)" >&2; exit 2; }
	$(BASE_PYTHON) -m venv .venv || { rm -rf .venv; exit 2; }

clean: ## remove what was made, but not the installation
	rm -rf out build .pytest_cache .ruff_cache .hypothesis
