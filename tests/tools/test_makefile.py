"""Properties of the Makefile's targets, read from the commands that `make -n -B` prints."""
import os
import subprocess
from pathlib import Path

import pytest
from helpers.documents import PROJECT

from docs.results import TIMED

ROOT = Path(__file__).resolve().parents[2]
# What `make test` sets.
OURS = ('VENV', 'ARGS', 'EXTRAS', 'CONSTRAINTS', 'PACKAGES', 'PYTHON', 'MAKEFLAGS', 'MFLAGS', 'MAKEOVERRIDES',
        'MAKELEVEL')
SURROUNDINGS = {name: value for name, value in os.environ.items() if name not in OURS}


def recipe(*words):
    """The lines that `make` would run, each with its continuation."""
    done = subprocess.run(['make', '-n', '-B', *words], cwd=ROOT, env=SURROUNDINGS, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')
    return [' '.join(line.split()) for line in done.stdout.replace('\\\n', ' ').splitlines()]


@pytest.mark.parametrize('words, folder', [([], '.venv-det'), (['VENV=mine'], 'mine')])
def test_setup_detection_builds_missing_operators_and_tests(words, folder):
    *installed, built, tested = recipe('setup-detection', *words, 'ARGS=-k detection')
    assert f"{folder}/bin/python -m pip install -c constraints.txt -e '.[seg,det,dev]'" in installed
    assert built.startswith(f"{folder}/bin/python -c 'import torch, mmcv._ext' 2>/dev/null || {{ {folder}/bin/python")
    assert f'MMCV_WITH_OPS=1 {folder}/bin/python -m pip install' in built
    command = f'{folder}/bin/python -m pytest -n 2 --dist loadfile '
    assert tested.startswith(command)
    *paths, k, detection = tested.removeprefix(command).split()
    assert (k, detection) == ('-k', 'detection')
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize('words, folder, versions', [
    ([], '.venv-classic', 'constraints-classic.txt'),
    (['VENV=mine', 'CONSTRAINTS=constraints.txt'], 'mine', 'constraints.txt')])
def test_setup_classic_tests_with_the_pinned_original_packages(words, folder, versions):
    lines = recipe('setup-classic', *words)
    assert f"{folder}/bin/python -m pip install -c {versions} -e '.[seg-openmmlab,dev]' mmcv-lite" in lines
    assert lines[-2] == f"{folder}/bin/python -m pytest -n 2 --dist loadfile -m 'not exhaustive'"
    assert {'torch', 'numpy', 'mmengine', 'mmcv-lite', 'mmsegmentation'} <= {
        line.split('==')[0] for line in (ROOT / versions).read_text().splitlines()}


def test_make_test_runs_first_cases_and_test_all_every_case():
    short, every = (recipe(target, 'VENV=mine', 'ARGS=-x')[-1] for target in ('test', 'test-all'))
    assert short == "mine/bin/python -m pytest -n 2 --dist loadfile -m 'not exhaustive' -x"
    assert every == 'mine/bin/python -m pytest -n 2 --dist loadfile -x'


def test_lint_finds_what_the_oldest_python_does_not_have():
    oldest = PROJECT['requires-python'].removeprefix('>=')
    assert any(f'/bin/vermin -q --no-tips -t={oldest}-' in line for line in recipe('lint'))
    ruff = (ROOT / 'pyproject.toml').read_text().split('target-version = "py')[1].split('"')[0]
    assert ruff == oldest.replace('.', '')


def timed(target):
    """The commands that a target measures."""
    return [line.split('configs/results/timings.json ')[1] for line in recipe(target) if 'time_command' in line]


def test_timings_measures_each_target_by_name():
    assert timed('timings') == list(TIMED) == ['make demo', 'make test']


@pytest.mark.parametrize('command', TIMED)
def test_each_command_can_be_timed_without_the_others(command):
    target = command.split()[1]
    assert timed(f'timing-{target}') == [command]
    removed = [line.split()[-1] for line in recipe(f'timing-{target}') if line.startswith('rm -rf')]
    assert removed == [f'work_dirs/timings/{target}']
