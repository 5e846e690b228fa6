"""Small data in the formats of CIFAR and ImageNet."""
import pytest
from helpers import tiny_images


@pytest.fixture
def write_cifar(tmp_path):
    """write_cifar(10 or 100, per_batch=20, **batches) writes folder and archive; returns their folder."""
    return lambda num_classes=10, **content: tiny_images.write_cifar(tmp_path, num_classes, **content)


@pytest.fixture
def image_folder(tmp_path):
    """The folder of ``tiny_images.write_image_folder``."""
    return tiny_images.write_image_folder(tmp_path)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """CIFAR-10, CIFAR-100 and ImageNet with a few images each, where configs look for their data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ISDA_SEG_DATA', str(tiny_images.write_all(tmp_path_factory.mktemp('data'))))
        yield
