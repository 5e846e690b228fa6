"""Small archives in CIFAR's format, and the whitening of the small CIFAR-10, fitted once."""
from types import SimpleNamespace

import pytest
from helpers import tiny_images


@pytest.fixture(scope='session')
def archives(tmp_path_factory):
    """`root`, which ISDA_SEG_DATA can name, and `zca`, the file that the first run fits and the others read."""
    root = tmp_path_factory.mktemp('semi')
    return SimpleNamespace(root=tiny_images.write_all(root), zca=root / 'zca.npz')


@pytest.fixture(scope='module')
def tiny_data(archives):
    """The archives, where configs look for their data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ISDA_SEG_DATA', str(archives.root))
        yield archives
