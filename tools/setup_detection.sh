#!/usr/bin/env bash
# MMDetection, and mmcv with the compiled operators it needs, beside MMSegmentation in an environment of their own,
# .venv-det (VENV=folder: another), and the tests of both there. Needs a clone. Where pip finds no mmcv with operators
# it is built here: C++ compiler, 20 to 40 minutes on two cores. Arguments are passed to pytest:
#   tools/setup_detection.sh [-k detection]
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv-det}
make VENV="$venv" EXTRAS=seg,det,dev setup
if ! "$venv/bin/python" -c 'import torch, mmcv._ext' 2>/dev/null; then
    echo "building mmcv with its compiled operators"
    "$venv/bin/python" -m pip install -c constraints.txt 'setuptools>=77' wheel ninja psutil
    MMCV_WITH_OPS=1 "$venv/bin/python" -m pip install -c constraints.txt --no-build-isolation --no-cache-dir --no-deps \
        --force-reinstall --no-binary onedl-mmcv onedl-mmcv
fi
exec "$venv/bin/python" -m pytest tests/segmentation tests/detection tests/test_compat.py tests/test_packaging.py "$@"
