#!/usr/bin/env bash
# Everything that needs a CUDA GPU: tests marked `gpu`, then the rasterizers and a short fit timed on it.
# Tables and logs go to $OUT (default ./out). PYTHON=... chooses the interpreter; bpy is not needed.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${OUT:-./out}"
python="${PYTHON:-python3}"
mkdir -p "$out"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv | tee "$out/gpu.csv"
"$python" -m pytest -m gpu tests/recon -p no:cacheprovider -q 2>&1 | tee "$out/gpu_tests.log"
PYTHONPATH=. "$python" benchmarks/recon_raster.py --device cuda --out "$out" 2>&1 | tee "$out/gpu_raster.log"
# the embedded model of the photo route, where its pairs lie in out/pairs (tools/make_pairs.py)
if [ -d out/pairs ]; then
    PYTHONPATH=. "$python" tools/train_tiny.py out/pairs "$out/tiny" --steps 6000 --batch 128 --rate 8e-4 \
        --workers 14 --device cuda --minutes 9 2>&1 | tee "$out/gpu_tiny.log"
fi
