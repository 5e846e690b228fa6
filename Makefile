# On a fresh machine with Python 3.11:
#
#   make demo    set up, then train and evaluate PSPNet + ISDA on the built-in demo data
#   make test    set up, then run all tests             make test ARGS='-x -k margin' passes arguments on
#   make gpu     on a CUDA machine: the tests marked gpu, what ISDA costs there, a pair of demo runs in half precision
#   make lint    ruff                                   make types    mypy --strict on isda_seg/core
#
# VENV=folder     the environment, .venv by default; it is made if it is not there
# PYTHON=python   the Python that makes it; by default the first of the candidates below that is 3.11 or newer

VENV ?= .venv
PYTHON ?= python3.11 python3 python3.12 python3.13 python
EXTRAS ?= seg,dev
DEMO = configs/demo/pspnet_r18-small-d8

.PHONY: demo test gpu lint types setup

demo: $(VENV)/.installed-seg
	$(VENV)/bin/python tools/demo.py $(ARGS)

test: setup
	$(VENV)/bin/python -m pytest $(ARGS)

gpu: setup
	$(VENV)/bin/python -m pytest -m gpu
	$(VENV)/bin/python tools/benchmarks/cost.py --device cuda --out work_dirs/gpu/cost.json
	$(VENV)/bin/python tools/make_streets.py
	$(VENV)/bin/python tools/benchmarks/paired.py $(DEMO)_1xb8-400_streets-192x128.py \
	    $(DEMO)_isda_1xb8-400_streets-192x128.py --seeds 0 1 --amp --work-dir work_dirs/gpu/pairs $(ARGS)

lint: setup
	$(VENV)/bin/python -m ruff check .

types: setup
	$(VENV)/bin/python -m mypy

setup: $(VENV)/.installed-$(EXTRAS)

# One stamp per set of extras, renewed when what is to be installed changes.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install -c constraints.txt -e '.[$*]'
	@$(VENV)/bin/python -c 'import cv2' || { echo "OpenCV needs: apt-get install libgl1 libglib2.0-0" >&2; exit 1; }
	touch '$@'

$(VENV)/bin/python:
	@for python in $(PYTHON); do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then echo "$$python -m venv $(VENV)"; exec "$$python" -m venv '$(VENV)'; fi; \
	done; \
	echo "isda_seg needs Python 3.11 or newer with its venv module; tried: $(PYTHON)." >&2; \
	echo "Install one (Debian, Ubuntu: python3.11 and python3.11-venv), or name yours: make PYTHON=/path/to/python" >&2; \
	exit 1
