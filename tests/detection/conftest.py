"""COCO images and exported backbones, created once."""
from types import SimpleNamespace

import pytest
from helpers import tiny_coco

from isda_seg import compat
from isda_seg.classification.conversion import export


@pytest.fixture(scope='session')
def coco(tmp_path_factory, data_folder):
    """The folder of ``tiny_coco.write_coco``."""
    return tiny_coco.write_coco(data_folder('coco256'), tmp_path_factory.mktemp('data'))


@pytest.fixture
def coco_root(coco, monkeypatch):
    """The same; ISDA_SEG_DATA leads to it."""
    monkeypatch.setenv('ISDA_SEG_DATA', str(coco.parent))
    return coco


@pytest.fixture(scope='session')
def backbones(tmp_path_factory):
    """Two ResNet-50s, `plain` and `isda`: their states, the files as the authors' release, and those exported."""
    compat.prepare()
    folder, found = tmp_path_factory.mktemp('backbones'), {}
    for seed, name in enumerate(('plain', 'isda')):
        state = tiny_coco.resnet(seed)
        released = tiny_coco.write_authors(folder / f'{name}.pth', state)
        export(released, folder / f'{name}_mmdet.pth', 'mmdet')
        found[name] = SimpleNamespace(state=state, released=released, exported=folder / f'{name}_mmdet.pth')
    return found
