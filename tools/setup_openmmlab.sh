#!/usr/bin/env bash
# The original OpenMMLab packages (mmengine, mmcv-lite, mmsegmentation) in an environment of their own, .venv-openmmlab,
# and the tests there. Needs a clone. Arguments are passed to pytest:
#   tools/setup_openmmlab.sh [-k segmentation]
set -euo pipefail
cd "$(dirname "$0")/.."
make VENV=.venv-openmmlab EXTRAS=seg-openmmlab,dev setup
exec .venv-openmmlab/bin/python -m pytest "$@"
