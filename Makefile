# On a fresh machine with Python 3.11:
#
#   make demo    set up, then train and evaluate PSPNet + ISDA on the built-in demo data
#   make test    set up, then run all tests             make test ARGS='-x -k margin' passes arguments on
#   make lint    ruff                                   make types    mypy --strict on isda_seg/core
#
# VENV=folder     the environment, .venv by default; it is made if it is not there
# PYTHON=python   the Python that makes it; by default the first of the candidates below that is 3.11 or newer

VENV ?= .venv
PYTHON ?= python3.11 python3 python3.12 python3.13 python
EXTRAS ?= seg,dev

.PHONY: demo test lint types setup

demo: $(VENV)/.installed-seg
	$(VENV)/bin/python tools/demo.py $(ARGS)

test: setup
	$(VENV)/bin/python -m pytest $(ARGS)

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
