"""A backbone checkpoint that covers only part of the network is an error; MMEngine would load the matching weights."""
import hashlib

import pytest
import torch
from mmengine.config import Config

pytestmark = pytest.mark.mmdet


@pytest.fixture
def check():
    """check(path, depth=50, **init) of a ResNet of this depth."""
    from isda_seg.detection.backbone import check_backbone
    return lambda path, depth=50, **init: check_backbone(Config(dict(model=dict(backbone=dict(
        type='ResNet', depth=depth, init_cfg=dict(type='Pretrained', checkpoint=str(path), **init))))))


def saved(tmp_path, state):
    torch.save(state, tmp_path / 'backbone.pth')
    return tmp_path / 'backbone.pth'


def test_exported_and_released_backbones_are_covered_and_recorded(check, backbones):
    source = backbones['isda']
    record = dict(checkpoint='isda_mmdet.pth', tensors=265, source='isda.pth',
                  sha256=hashlib.sha256(source.exported.read_bytes()).hexdigest())
    assert check(source.exported) == record
    assert check(source.released)['tensors'] == 265


def test_prefix_is_interpreted_as_in_mmengine(check, backbones, tmp_path):
    state = {f'backbone.{key}': value for key, value in backbones['isda'].state.items()}
    path = saved(tmp_path, dict(state_dict=state))
    assert check(path, prefix='backbone.')['tensors'] == check(path, prefix='backbone')['tensors'] == 265
    with pytest.raises(ValueError, match=r'backbone.pth does not fit the backbone ResNet-50: 0 of 265 tensors covered; '
                                         r'missing: conv1.weight, bn1.weight, .* and 260 more. The file holds a whole '
                                         r'model. Export its backbone \(tools/export_backbone.py --to mmdet\)'):
        check(path)


def test_batch_counts_and_classifier_are_ignored(check, backbones, tmp_path):
    state = {key: value for key, value in backbones['isda'].state.items() if 'tracked' not in key}
    assert check(saved(tmp_path, state | {'fc.weight': torch.zeros(2, 2048)}))['tensors'] == 265


@pytest.mark.parametrize('change, message', [
    (lambda state: state.pop('layer2.1.bn2.weight'), '264 of 265 tensors covered; missing: layer2.1.bn2.weight. Set'),
    (lambda state: state.update({'layer3.6.conv1.weight': torch.zeros(1)}),
     '265 of 265 tensors covered; unexpected: layer3.6.conv1.weight. Set'),
    (lambda state: state.update({'layer3.0.conv2.weight': torch.zeros(2, 2, 3, 3)}),
     r'264 of 265 tensors covered; wrong shape: layer3.0.conv2.weight \(2, 2, 3, 3\) instead of '
     r'\(256, 256, 3, 3\). Set model.backbone.init_cfg.checkpoint to a file of')])
def test_incomplete_backbone_is_an_error_that_lists_the_weights(check, backbones, tmp_path, change, message):
    state = dict(backbones['isda'].state)
    change(state)
    with pytest.raises(ValueError, match=message):
        check(saved(tmp_path, state))


def test_other_depth_is_an_error_in_both_directions(check, backbones, tmp_path):
    from helpers import tiny_coco
    with pytest.raises(ValueError, match='ResNet-101: 265 of 520 tensors covered; missing: layer3.6.conv1.weight'):
        check(backbones['isda'].exported, depth=101)
    path = saved(tmp_path, {key: value for key, value in tiny_coco.resnet(0, depth=101).items()})
    with pytest.raises(ValueError, match='ResNet-50: 265 of 265 tensors covered; unexpected: layer3.6.conv1.weight'):
        check(path)


def test_a_missing_and_a_truncated_file_are_named(check, backbones, tmp_path):
    with pytest.raises(FileNotFoundError, match='the checkpoint nowhere.pth does not exist'):
        check('nowhere.pth')
    (tmp_path / 'half.pth').write_bytes(backbones['isda'].exported.read_bytes()[:10**6])
    with pytest.raises(ValueError, match='half.pth is truncated, damaged or not a checkpoint'):
        check(tmp_path / 'half.pth')


def test_unreachable_url_is_an_error_with_a_remedy(check):
    with pytest.raises(ValueError, match=r'cannot load the backbone http://127.0.0.1:9/r50.pth .*\. Download the file '
                                         'on another machine and set model.backbone.init_cfg.checkpoint to its path'):
        check('http://127.0.0.1:9/r50.pth')


@pytest.mark.parametrize('init', [None, dict(type='Kaiming', layer='Conv2d')])
def test_config_without_a_checkpoint_is_not_checked(init):
    from isda_seg.detection.backbone import check_backbone
    assert check_backbone(Config(dict(model=dict(backbone=dict(type='ResNet', depth=50, init_cfg=init))))) is None


def test_state_dict_of_a_detector_is_built_without_allocating():
    from helpers import tiny_coco
    from mmengine.config import Config

    from isda_seg.detection.backbone import state_of
    state = state_of(Config.fromfile(tiny_coco.SMALL).model)
    assert {value.device.type for value in state.values()} == {'meta'}
    assert {key.split('.')[0] for key in state} == {'backbone', 'neck', 'rpn_head', 'roi_head'}


def test_prefix_with_an_exported_backbone_is_an_error_with_a_remedy(check, backbones):
    with pytest.raises(ValueError, match="No name in the file starts with 'backbone.'. Remove the prefix: "
                                         'tools/export_backbone.py adds none'):
        check(backbones['isda'].exported, prefix='backbone.')
