#!/usr/bin/env bash
# The development experiment on one GPU: patients simulated on all cores, a process for each seed side by side on the
# device, then the training loop's throughput. Results come back as one archive in $OUT (default: the current folder).
#
#   benchmarks/gpu/wheels.sh                      # where there is a network: packages that the GPU machine lacks, into .whl/
#   benchmarks/gpu/run.sh [--minutes 8] [--scale 1]
#
# --scale 0.01 is the rehearsal on a CPU: a hundredth of the patients and steps.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
if compgen -G '.whl/*.whl' >/dev/null; then
    site=$(mktemp -d)
    "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" .whl/*.whl
    export PYTHONPATH=$site
fi
export PYTHONPATH=src${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
exec "$python" benchmarks/gpu/development.py --out "${OUT:-.}" "$@"
