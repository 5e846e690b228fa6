"""Fixtures and markers for all tests.

A test is skipped where something that its marker names is missing: a GPU, a package, compiled operators. In CI (the
environment variable CI is set) every other skip is a failure, and so is a skip for a marker that CI_REQUIRES lists:
``CI_REQUIRES='ops mmdet'`` is for an environment that has both.
"""

import os
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from isda_seg import compat

os.environ.setdefault('MPLBACKEND', 'Agg')
if not torch.cuda.is_available():
    os.environ.setdefault('TRITON_INTERPRET', '1')  # the kernels run in Python; read when they are imported
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # of the processes that tests start
    torch.set_num_threads(1)
torch.set_num_threads(min(2, torch.get_num_threads()))

REQUIRED_IN_CI = os.environ.get('CI_REQUIRES', '').split()
MAY_SKIP_IN_CI = {'gpu', 'family', 'mmpretrain', 'library', 'ops', 'mmdet', 'triton'} - {*REQUIRED_IN_CI}


@cache
def installed_family() -> str:
    """The package family that provides mmengine: 'onedl', 'openmmlab' or 'none'."""
    distributions = packages_distributions().get('mmengine', [])
    if not distributions:
        return 'none'
    return 'onedl' if 'onedl-mmengine' in distributions else 'openmmlab'


@cache
def why_no_mmpretrain() -> str:
    """Why mmpretrain cannot be imported, '' where it can; it needs a torchvision that fits torch."""
    if find_spec('mmpretrain') is None:
        return 'it is not installed'
    try:
        import mmpretrain.models  # noqa: F401
    except Exception as error:  # a torchvision of another torch raises RuntimeError, missing operators an ImportError
        return f'{type(error).__name__}: {error}'
    return ''


@cache
def refusal(require: Callable[..., None], *arguments: str) -> list[str]:
    """The message of the ImportError that a check of ``compat`` raises; empty where it raises none."""
    try:
        require(*arguments)
    except ImportError as error:
        return [str(error)]
    return []


if installed_family() == 'openmmlab':
    compat.prepare()  # before any test module imports mmseg


@pytest.fixture(scope='session')
def data_folder() -> Callable[[str], Path]:
    """data_folder('camvid') is that folder of the test data; without it the test is skipped, and in CI it fails."""

    def find(name: str) -> Path:
        folder = Path(os.environ.get('ISDA_SEG_DATA', 'data'), name).absolute()
        if not folder.is_dir():
            pytest.skip(f'needs the folder {folder}; set ISDA_SEG_DATA to the folder that holds {name}')
        return folder

    return find


def missing(item: pytest.Item) -> Iterator[str]:
    """What the markers of a test name and this environment lacks."""
    marked, family = item.get_closest_marker, installed_family()
    if marked('gpu') and not torch.cuda.is_available():
        yield 'needs a CUDA device'
    if marked('mmpretrain') and why_no_mmpretrain():
        yield f'mmpretrain cannot be imported: {why_no_mmpretrain()}'
    if marked('ops'):
        yield from refusal(compat.require_operators, 'the test')
    if marked('mmdet'):
        yield from refusal(compat.require_detection)
    if marked('triton') and find_spec('triton') is None:
        yield 'triton is not installed'
    if marked('library') and find_spec(name := marked('library').args[0]) is None:
        yield f'{name} is not installed'
    if marked('family') and marked('family').args != (family,):
        yield f'needs the {marked("family").args[0]} packages, found: {family}'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for reason in missing(item):
            item.add_marker(pytest.mark.skip(reason=reason))


def fail_if_skipped(report: pytest.CollectReport | pytest.TestReport) -> None:
    """Turn a skip into a failure in CI."""
    if os.environ.get('CI') and report.skipped and not hasattr(report, 'wasxfail'):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = 'failed', f'skipped, which CI does not allow. {reason}'


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if not any(item.get_closest_marker(name) for name in MAY_SKIP_IN_CI):
        fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    fail_if_skipped(report)
    return report
