#!/usr/bin/env bash
# Everything that needs a CUDA GPU: tests marked `gpu`, the rasterizers timed, a fit with preset `full` timed and judged.
# Tables and logs go to $OUT (default ./out). PYTHON=... chooses the interpreter; bpy is not needed.
# CAPTURES=... lists folders of captures to fit besides the shipped one, as `flawsmith simulate-capture --size 800` and
# benchmarks/recon_accuracy.py make them. One part that fails does not keep the others from running.
set -uo pipefail
cd "$(dirname "$0")/.."
out="${OUT:-./out}"
python="${PYTHON:-python3}"
export PYTHONPATH=.
mkdir -p "$out"
failed=0

"$python" - <<'PY' || exit 2
import importlib.util, sys
needed = {"torch": "torch", "warp": "warp-lang", "trimesh": "trimesh", "pydantic": "pydantic", "scipy": "scipy",
          "cv2": "opencv-python-headless", "yaml": "pyyaml", "xatlas": "xatlas", "safetensors": "safetensors",
          "PIL": "pillow", "pytest": "pytest", "networkx": "networkx", "embreex": "embreex"}
lacks = [wheel for name, wheel in needed.items() if importlib.util.find_spec(name) is None]
if lacks:
    sys.exit(f"{sys.executable} lacks {', '.join(lacks)}: pip install {' '.join(lacks)}")
import torch
if not torch.cuda.is_available():
    sys.exit(f"torch {torch.__version__} sees no CUDA device: run this on a machine with a GPU")
PY

run() { # NAME COMMAND...
    local name="$1"
    shift
    "$@" 2>&1 | tee "$out/$name.log"
    if [ "${PIPESTATUS[0]}" -ne 0 ]; then
        echo "FAILED: $name" | tee -a "$out/failed.txt"
        failed=1
    fi
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv | tee "$out/gpu.csv"
run gpu_tests "$python" -m pytest -m gpu tests/recon -p no:cacheprovider
run gpu_raster "$python" benchmarks/recon_raster.py --device cuda --out "$out"
for capture in examples/captures/bearing_housing ${CAPTURES:-}; do
    name="gpu_full_$(basename "$capture")"
    run "$name" "$python" benchmarks/recon_measure.py "{\"capture\": \"$capture\", \"method\": \"ours\", \"preset\": \"full\",
        \"minutes\": 8, \"size\": 800, \"seed\": 0, \"device\": \"cuda\", \"environments\": [], \"relit\": [],
        \"out\": \"$out/$name.json\"}"
    [ -f "$out/$name.json" ] && cat "$out/$name.json"
done
# the embedded model of the photo route, where its pairs lie in out/pairs (tools/make_pairs.py)
if [ -d out/pairs ]; then
    run gpu_tiny "$python" tools/train_tiny.py out/pairs "$out/tiny" --steps 6000 --batch 128 --rate 8e-4 \
        --workers 14 --device cuda --minutes 9
fi
exit "$failed"
