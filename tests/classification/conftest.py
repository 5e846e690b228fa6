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
