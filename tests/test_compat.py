"""Compatibility with the installed packages."""
import subprocess
import sys
from importlib.metadata import packages_distributions
from importlib.util import find_spec

import pytest
import torch

from isda_seg import compat


def test_one_family_alone_is_accepted():
    assert compat.require_one_family() is None
    assert len(packages_distributions()['mmengine']) == 1


@pytest.mark.parametrize('owners', [['mmengine', 'onedl-mmengine'], ['onedl-mmengine', 'mmengine', 'mmengine']])
def test_two_families_are_an_error_with_a_remedy(monkeypatch, owners):
    monkeypatch.setattr(compat, 'packages_distributions', lambda: {'mmengine': owners, 'mmcv': ['onedl-mmcv']})
    with pytest.raises(ImportError, match='overwrite each other.*pip uninstall -y mmengine onedl-mmengine and'):
        compat.require_one_family()


def test_all_packages_to_remove_are_named_at_once(monkeypatch):
    monkeypatch.setattr(compat, 'packages_distributions', lambda: {
        'mmengine': ['mmengine', 'onedl-mmengine'], 'mmcv': ['mmcv-lite', 'onedl-mmcv'], 'mmseg': ['mmsegmentation']})
    with pytest.raises(ImportError, match='pip uninstall -y mmcv-lite mmengine onedl-mmcv onedl-mmengine and'):
        compat.require_one_family()


def test_mmsegmentation_without_mmcv_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setattr(compat, 'packages_distributions', lambda: {'mmseg': ['mmsegmentation']})
    assert compat.require_mmcv() is None
    monkeypatch.setattr(compat, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r"mmcv, which is not installed: pip install 'mmcv-lite>=2.1.0,<2.2'"):
        compat.require_mmcv()


def test_numpy_that_torch_cannot_use_is_an_error_with_a_remedy(monkeypatch):
    """As torch before 2.3 with numpy 2."""
    def numpy(tensor):
        raise RuntimeError('Numpy is not available')

    assert compat.require_numpy_in_torch() is None
    monkeypatch.setattr(torch.Tensor, 'numpy', numpy)
    with pytest.raises(ImportError, match=r"torch \S+ cannot use the installed numpy \d\S+: pip install 'numpy<2'"):
        compat.require_numpy_in_torch()


def test_a_config_based_on_a_package_can_be_read(tmp_path):
    from mmengine.config import Config
    (tmp_path / 'c.py').write_text("_base_ = 'mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-769x769.py'\n")
    compat.prepare()
    assert Config.fromfile(tmp_path / 'c.py').model.decode_head.type == 'PSPHead'


def test_an_environment_variable_is_logged_once_per_process(tmp_path, monkeypatch):
    from mmengine.logging import MMLogger
    monkeypatch.setenv('ISDA_SEG_ONCE', 'there')
    monkeypatch.setattr(compat, '_variables_logged', set())
    texts = []
    monkeypatch.setattr(MMLogger, 'callHandlers', lambda logger, record: texts.append(record.getMessage()))
    (tmp_path / 'config.py').write_text("data_root = '{{$ISDA_SEG_ONCE:data}}'")
    for _ in range(3):
        assert compat.read_config(str(tmp_path / 'config.py')).data_root == 'there'
        MMLogger.get_current_instance().info('another message')
    variables = [text for text in texts if text != 'another message']
    assert len(variables) == 1 and 'ISDA_SEG_ONCE' in variables[0] and len(texts) == 4


def test_missing_mmdetection_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setattr(compat, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'needs MMDetection, which is not installed: pip install -c constraints.txt '
                                          r'-e ".\[seg,det\]", or `make setup-detection`') as caught:
        compat.require_detection()
    assert len(str(caught.value).splitlines()) == 1


def test_missing_compiled_operators_are_an_error_with_a_remedy(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(f'No module named {name!r}')
    monkeypatch.setattr(compat, 'find_spec', lambda name: name)
    monkeypatch.setattr(compat, 'import_module', refuse)
    with pytest.raises(ImportError, match=r'needs mmcv with compiled operators; `make setup-detection` builds them '
                                          r"\(No module named 'mmcv._ext'\)") as caught:
        compat.require_detection()
    assert len(str(caught.value).splitlines()) == 1


def test_a_config_based_on_mmdetection_is_read_or_is_an_error(tmp_path):
    (tmp_path / 'c.py').write_text("_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'\n")
    if find_spec('mmdet') is None:
        with pytest.raises(ImportError, match='detection needs MMDetection, which is not installed'):
            compat.read_config(str(tmp_path / 'c.py'))
    else:
        assert compat.read_config(str(tmp_path / 'c.py')).model.type == 'FasterRCNN'


def test_a_missing_base_config_keeps_its_error(tmp_path):
    (tmp_path / 'c.py').write_text("_base_ = 'mmnothing::a/b.py'\n")
    with pytest.raises(Exception, match='mmnothing'):
        compat.read_config(str(tmp_path / 'c.py'))


def test_only_lines_about_optional_packages_are_hidden():
    code = """if True:
        import sys
        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == 'mmseg.datasets':
                    print('read this')
        sys.meta_path.insert(0, Finder())
        import isda_seg.segmentation
    """
    said = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == ['read this']


@pytest.mark.family('onedl')  # mmengine 0.10.7 takes a config with `from` for a lazy one, whose calls it refuses
def test_paths_and_imports_of_a_config_can_be_written(tmp_path):
    (tmp_path / 'config.py').write_text("from pathlib import Path\ndata_root = Path('data')\n"
                                        "train = dict(folders=[Path('a'), (Path('b'), 1)])\n")
    cfg = compat.read_config(str(tmp_path / 'config.py'))
    assert (cfg.data_root, cfg.train.folders, 'Path' in cfg) == ('data', ['a', ('b', 1)], False)
    cfg.dump(str(tmp_path / 'copy.py'))
    assert compat.read_config(str(tmp_path / 'copy.py')).train == cfg.train
