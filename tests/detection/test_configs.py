"""Every COCO config equals MMDetection's except for the backbone file, trains and is evaluated."""
import re

import pytest
import torch
from helpers import tiny, tiny_coco
from mmengine.config import Config

CHECKPOINT = 'model.backbone.init_cfg.checkpoint'
PAPER = {'faster-rcnn': ('37.4', '38.0', '38.6'), 'cascade-rcnn': ('40.3', '40.8', '41.4'),
         'mask-rcnn': ('38.2', '38.9', '39.4')}
MASKS = ('34.7', '35.2', '35.6')
INITS = ('torchvision', 'plain', 'isda')


def names(path):
    return path.stem


def parts(path):
    """('mask-rcnn', 'isda') of a config."""
    detector, init = re.fullmatch(r'([\w-]+)_r50(?:_(\w+))?_fpn_1x_coco', path.stem).groups()
    return detector, init or 'plain'


def test_there_are_four_detectors_with_three_initialisations_each():
    detectors = {*PAPER, 'cascade-mask-rcnn'}
    assert {parts(path) for path in tiny_coco.COCO} == {(name, init) for name in detectors for init in INITS}
    assert {path.stem.split('_')[0] for path in tiny_coco.HEADS} == {*PAPER}


@pytest.mark.parametrize('path', tiny_coco.COCO, ids=names)
def test_docstring_has_command_paper_values_and_backbone_path(path):
    docstring = path.read_text().split('"""')[1]
    detector, init = parts(path)
    expected = 'not reported' if detector not in PAPER else f'{PAPER[detector][INITS.index(init)]} box mAP'
    expected += f', {MASKS[INITS.index(init)]} mask mAP' if detector == 'mask-rcnn' else ''
    assert re.search('^Paper: +(.*)$', docstring, re.MULTILINE)[1] == expected
    assert docstring.count(f'tools/dist_train.sh configs/coco/{path.name} 8\n') == 1
    assert docstring.count(f'{CHECKPOINT}=FILE') == (init != 'torchvision')
    plain, isda = (f'{detector}_r50_{word}fpn_1x_coco.py' for word in ('', 'isda_'))
    assert {'plain': f'With ISDA: {isda}\n', 'isda': f'Baseline:  {plain}; ', 'torchvision': 'Baseline:  none'}[
        init] in docstring


@pytest.mark.mmdet
@pytest.mark.parametrize('path', tiny_coco.COCO, ids=names)
def test_config_differs_from_mmdetection_only_in_the_backbone_file(path, tmp_path, monkeypatch):
    monkeypatch.delenv('ISDA_SEG_DATA', raising=False)
    detector, init = parts(path)
    folder = detector.replace('-mask', '').replace('-', '_')
    (tmp_path / 'theirs.py').write_text(f"_base_ = 'mmdet::{folder}/{detector}_r50_fpn_1x_coco.py'\n")
    ours, theirs = (tiny.flat(Config.fromfile(file).to_dict()) for file in (path, tmp_path / 'theirs.py'))
    assert tiny.differing(ours, theirs) == ([] if init == 'torchvision' else [CHECKPOINT])
    assert theirs[CHECKPOINT] == 'torchvision://resnet50'
    if init != 'torchvision':
        stem = {'plain': 'resnet50_imagenet', 'isda': 'resnet50_isda_imagenet'}[init]
        assert (tiny.ROOT / 'configs' / 'classification' / 'imagenet' / f'{stem}.py').is_file()
        assert ours[CHECKPOINT] == f'work_dirs/{stem}/mmdet.pth'


@pytest.mark.mmdet
@pytest.mark.parametrize('path', tiny_coco.COCO, ids=names)
def test_every_config_loads_its_backbone_trains_and_is_evaluated(path, coco_root, backbones, tmp_path):
    def change(cfg):
        tiny_coco.shrink(cfg)
        cfg.default_hooks.checkpoint = None

    source = backbones['isda']
    runner, watch = tiny_coco.train(path, tmp_path, change, options={CHECKPOINT: str(source.exported)})
    started = {key.removeprefix('backbone.'): value for key, value in watch.start.items()
               if key.startswith('backbone.')}
    assert tiny.differing(started, dict(source.state)) == []
    (record,) = [hook.backbone for hook in runner.hooks if type(hook).__name__ == 'BackboneRecordHook']
    assert (record['checkpoint'], record['source'], record['tensors']) == ('isda_mmdet.pth', 'isda.pth', 265)
    assert len(watch.steps) == 2
    mask, cascade = 'mask' in path.stem, 'cascade' in path.stem
    losses = watch.steps[1]['losses']
    stages = ['s0.', 's1.', 's2.'] if cascade else ['']
    assert {key for key in losses if 'mask' in key} == {f'{stage}loss_mask' for stage in stages if mask}
    assert all(losses[f'{stage}loss_cls'] > 0 for stage in stages) and losses['loss_rpn_cls'] > 0
    changed = {key for key, value in runner.model.backbone.state_dict().items()
               if not torch.equal(value, source.state[key])}
    assert {key.split('.')[0] for key in changed} == {'layer2', 'layer3', 'layer4'}
    assert not any('running' in key for key in changed)
    maps = {key.split('/')[-1]: runner.message_hub.get_scalar(key).current() for key in runner.message_hub.log_scalars
            if key.endswith('_mAP')}
    assert list(maps) == ['bbox_mAP', *(['segm_mAP'] if mask else [])]
    assert all(0 <= value < 0.2 for value in maps.values())


@pytest.mark.mmdet
@pytest.mark.parametrize('path', tiny_coco.HEADS, ids=names)
def test_config_with_isda_in_the_head_adds_one_key_to_its_baseline(path):
    detector = path.stem.split('_')[0]
    baseline = path.with_name(f'{detector}_r50_torchvision_fpn_1x_coco.py')
    ours, theirs = (tiny.flat(Config.fromfile(file).to_dict()) for file in (path, baseline))
    assert tiny.differing(ours, theirs) == ['default_hooks.isda.lambda_0', 'default_hooks.isda.type']
    assert ours['default_hooks.isda.lambda_0'] == 7.5
    assert f'tools/dist_train.sh configs/coco/{path.name} 8\n' in path.read_text()
    assert f'Baseline:  {baseline.name}; ' in path.read_text()


@pytest.mark.mmdet
def test_initialisations_differ_only_in_the_backbone(coco_root, backbones, tmp_path):
    def change(cfg):
        tiny_coco.shrink(cfg, images=4, batch=2)
        cfg.default_hooks.checkpoint = None
        cfg.train_cfg.val_begin = 2  # never

    watches = [tiny_coco.train(path, tmp_path / path.stem, change, options={
        CHECKPOINT: str(backbones[parts(path)[1]].exported)})[1]
        for path in tiny_coco.COCO if parts(path) in (('faster-rcnn', 'plain'), ('faster-rcnn', 'isda'))]
    assert {key.split('.')[0] for key in tiny.differing(watches[0].start, watches[1].start)} == {'backbone'}
    batches = [[step['batch'] for step in watch.steps] for watch in watches]
    assert batches[0] == batches[1] and len(set(batches[0])) == 2
