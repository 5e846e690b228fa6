"""What all tests share: where the data is, and that CI skips nothing it could run."""

import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from isda_seg import compat

os.environ.setdefault('MPLBACKEND', 'Agg')
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # of the processes that tests start
    torch.set_num_threads(1)
torch.set_num_threads(min(2, torch.get_num_threads()))

MAY_SKIP_IN_CI = ('gpu', 'family', 'mmpretrain', 'ops', 'library')


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
def why_no_detection() -> str:
    """Why MMDetection cannot be used here, '' where it can."""
    try:
        compat.require_detection()
    except ImportError as error:
        return str(error)
    return ''


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    family, has_gpu = installed_family(), torch.cuda.is_available()
    for item in items:
        if item.get_closest_marker('gpu') and not has_gpu:
            item.add_marker(pytest.mark.skip(reason='needs a CUDA device'))
        if item.get_closest_marker('mmpretrain') and why_no_mmpretrain():
            item.add_marker(pytest.mark.skip(reason=f'mmpretrain cannot be imported: {why_no_mmpretrain()}'))
        if item.get_closest_marker('ops') and why_no_detection():
            item.add_marker(pytest.mark.skip(reason=why_no_detection()))
        library = item.get_closest_marker('library')
        if library and find_spec(library.args[0]) is None:
            item.add_marker(pytest.mark.skip(reason=f'{library.args[0]} is not installed'))
        wanted = item.get_closest_marker('family')
        if wanted and wanted.args != (family,):
            item.add_marker(pytest.mark.skip(reason=f'needs the {wanted.args[0]} packages, found: {family}'))


def fail_if_skipped(report: pytest.CollectReport | pytest.TestReport) -> None:
    """In CI a skip is a failure: a test that silently stopped running protects nothing."""
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
