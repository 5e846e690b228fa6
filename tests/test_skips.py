"""In CI a test may be skipped only for what its marker names, and not for that where CI_REQUIRES lists the marker."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.exhaustive import exhaustive

COMPAT = '''"""Stands in for isda_seg.compat, on a machine that has nothing."""


def prepare():
    pass


def require_operators(user):
    raise ImportError('no operators here')


def require_detection():
    raise ImportError('no MMDetection here')
'''
TESTS = '''"""Tests that need something, and one that is skipped without a marker."""
import pytest


@pytest.mark.ops
def test_operators():
    pass


@pytest.mark.mmdet
def test_mmdet():
    pass


def test_unmarked():
    pytest.skip('for no marker')
'''


@exhaustive('ci, outcomes', [
    (dict(CI='true', CI_REQUIRES='mmdet'), 'sEF'), (dict(CI='true'), 'ssF'), ({}, 'sss')], ids=str)
def test_a_skip_is_a_failure_in_ci_unless_its_marker_allows_it(ci, outcomes, tmp_path):
    shutil.copy(Path(__file__).with_name('conftest.py'), tmp_path)
    for name, text in {'isda_seg/__init__.py': '', 'isda_seg/compat.py': COMPAT, 'test_needs.py': TESTS}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    others = {name: value for name, value in os.environ.items() if not name.startswith(('CI', 'PYTEST'))}
    done = subprocess.run([sys.executable, '-m', 'pytest', '-q', '--tb=no'], cwd=tmp_path, env={**others, **ci},
                          capture_output=True, text=True)
    assert done.stdout.split()[0] == outcomes, done.stdout + done.stderr
