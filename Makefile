# On a fresh machine with Python 3.10 or newer:
#
#   make gain    set up, then train a small network on scikit-learn's digits without and with ISDA, with paired seeds,
#                and print the difference        make gain ARGS=--sweep compares strengths
#                make gain ARGS=--segmentation trains on synthetic street scenes and compares mIoU
#   make demo    set up, then train and evaluate PSPNet + ISDA on the built-in demo data
#   make test    set up, then run the tests in two processes, without the cases marked exhaustive
#                make test ARGS='-x -k margin' passes arguments to pytest
#   make test-all    run all tests, including the cases marked exhaustive
#   make gpu     on a CUDA machine: run the tests marked gpu, the cost benchmark and two pairs of demo runs in mixed
#                precision
#   make lint    ruff, vermin                              make types    mypy --strict
#   make setup-detection    install MMSegmentation, MMDetection and mmcv with compiled operators in a separate
#                environment, .venv-det, and run the tests of both. If pip finds no mmcv with operators, it is built:
#                this needs a C++ compiler and 20 to 40 minutes on two cores. ARGS are passed to pytest
#   make setup-classic    install the original OpenMMLab packages (mmengine, mmcv-lite, mmsegmentation) with torch 2.1
#                and numpy 1.26 (constraints-classic.txt; 5 GB, Python 3.10 or 3.11) in .venv-classic, and run the tests
#                as `make test` does. CONSTRAINTS=constraints.txt VENV=folder installs them with the torch
#                and numpy of today. ARGS are passed to pytest
#   make timings record in configs/results/timings.json how long the demo and the tests take, each including the
#                installation of a new environment. make timing-demo and timing-test measure one of them. Run nothing
#                else on the machine
#
# VENV=folder     environment, created if missing; default .venv, or as named above
# PYTHON=python   Python for a new environment; default: the first candidate below that is 3.10 or newer

VENV ?= .venv
PYTHON ?= python3.11 python3 python3.12 python3.13 python
EXTRAS ?= seg,dev
CONSTRAINTS ?= constraints.txt
PACKAGES ?=
DEMO = configs/demo/pspnet_r18-small-d8

comma := ,
TIMED = timing-demo timing-test

.PHONY: demo gain test test-all gpu lint types setup setup-detection setup-classic timings $(TIMED)
.NOTPARALLEL:

gain: $(VENV)/.installed-$(if $(findstring --segmentation,$(ARGS)),gain$(comma)seg,gain)
	$(VENV)/bin/python tools/gain.py $(ARGS)

demo: $(VENV)/.installed-seg
	$(VENV)/bin/python tools/demo.py $(ARGS)

test: setup
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile -m 'not exhaustive' $(ARGS)

test-all: setup
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

gpu: setup
	$(VENV)/bin/python -m pytest -m gpu
	$(VENV)/bin/python tools/benchmarks/cost.py --device cuda --out work_dirs/gpu/cost_$$(date -u +%F).json
	$(VENV)/bin/python tools/make_streets.py
	$(VENV)/bin/python tools/benchmarks/paired.py $(DEMO)_1xb8-400_streets-192x128.py \
	    $(DEMO)_isda_1xb8-400_streets-192x128.py --seeds 0 1 --amp --work-dir work_dirs/gpu/pairs $(ARGS)

lint: setup
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/vermin -q --no-tips -t=3.10- --exclude long --exclude str.decode --violations isda_seg configs \
	    tools tests setup.py

types: setup
	$(VENV)/bin/python -m mypy

setup: $(VENV)/.installed-$(EXTRAS)

setup-detection: VENV = .venv-det
setup-detection:
	$(MAKE) VENV='$(VENV)' EXTRAS=seg,det,dev setup
	$(VENV)/bin/python -c 'import torch, mmcv._ext' 2>/dev/null || { \
	    $(VENV)/bin/python -m pip install -c constraints.txt 'setuptools>=77' wheel ninja psutil && \
	    MMCV_WITH_OPS=1 $(VENV)/bin/python -m pip install -c constraints.txt --no-build-isolation --no-cache-dir \
	        --no-deps --force-reinstall --no-binary onedl-mmcv onedl-mmcv; }
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile tests/segmentation tests/detection tests/test_compat.py \
	    tests/test_packaging.py $(ARGS)

# mmcv-lite is a wheel. It is not part of the extra, because it would overwrite an installed mmcv.
setup-classic: VENV = .venv-classic
setup-classic: CONSTRAINTS = constraints-classic.txt
setup-classic: PYTHON = python3.11 python3.10
setup-classic:
	$(MAKE) VENV='$(VENV)' CONSTRAINTS='$(CONSTRAINTS)' EXTRAS=seg-openmmlab,dev PACKAGES=mmcv-lite \
	    PYTHON='$(PYTHON)' test

# Each target uses a new environment, and the demo new folders. The result file names a measurement by its command, so
# options are passed as environment variables.
TIME = $(VENV)/bin/python tools/docs/time_command.py configs/results/timings.json
NEW = work_dirs/timings
timings: $(TIMED)

timing-demo: setup
	rm -rf $(NEW)/demo
	MAKEFLAGS= VENV=$(NEW)/demo/.venv ISDA_SEG_DATA=$(NEW)/demo/data ARGS='--work-dir $(NEW)/demo/run' $(TIME) make demo

timing-test: setup
	rm -rf $(NEW)/test
	MAKEFLAGS= VENV=$(NEW)/test/.venv ARGS= $(TIME) make test

# One stamp per set of extras, updated when the requirements change.
$(VENV)/.installed-%: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install -c $(CONSTRAINTS) -e '.[$*]' $(PACKAGES)
	@test '$*' = gain || $(VENV)/bin/python -c 'import cv2' || { echo "OpenCV needs: apt-get install libgl1 libglib2.0-0" >&2; exit 1; }
	touch '$@'

$(VENV)/bin/python:
	@for python in $(PYTHON); do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; \
	    then echo "$$python -m venv $(VENV)"; exec "$$python" -m venv '$(VENV)'; fi; \
	done; \
	echo "isda_seg needs Python 3.10 or newer with its venv module; tried: $(PYTHON)." >&2; \
	echo "Install one (Debian, Ubuntu: python3.11 and python3.11-venv), or name yours: make PYTHON=/path/to/python" >&2; \
	exit 1
