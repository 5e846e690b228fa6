"""What compat promises about the installed packages."""
from importlib.metadata import packages_distributions

import pytest

from isda_seg import compat


def test_one_family_alone_is_accepted():
    assert compat.require_one_family() is None
    assert len(packages_distributions()['mmengine']) == 1


@pytest.mark.parametrize('owners', [['mmengine', 'onedl-mmengine'], ['onedl-mmengine', 'mmengine', 'mmengine']])
def test_two_families_at_once_are_named_with_the_command_that_mends_it(monkeypatch, owners):
    monkeypatch.setattr(compat, 'packages_distributions', lambda: {'mmengine': owners, 'mmcv': ['onedl-mmcv']})
    with pytest.raises(ImportError, match='overwrite each other.*pip uninstall -y mmengine onedl-mmengine and'):
        compat.require_one_family()


def test_all_packages_to_remove_are_named_at_once(monkeypatch):
    monkeypatch.setattr(compat, 'packages_distributions', lambda: {
        'mmengine': ['mmengine', 'onedl-mmengine'], 'mmcv': ['mmcv-lite', 'onedl-mmcv'], 'mmseg': ['mmsegmentation']})
    with pytest.raises(ImportError, match='pip uninstall -y mmcv-lite mmengine onedl-mmcv onedl-mmengine and'):
        compat.require_one_family()


def test_a_config_based_on_a_package_can_be_read(tmp_path):
    from mmengine.config import Config
    (tmp_path / 'c.py').write_text("_base_ = 'mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-769x769.py'\n")
    compat.prepare()
    assert Config.fromfile(tmp_path / 'c.py').model.decode_head.type == 'PSPHead'
