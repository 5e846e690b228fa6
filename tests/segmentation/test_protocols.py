"""Evaluation protocols: averaged views, separate images of a batch."""
import copy
import runpy
import sys

import numpy as np
import pytest
import torch
from helpers import tiny
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmseg.datasets.transforms import PackSegInputs  # noqa: F401  (registers the transforms)
from mmseg.registry import MODELS, TRANSFORMS
from mmseg.utils import register_all_modules

from isda_seg.segmentation.protocols import SCALES, apply_protocol


def config():
    pipeline = [dict(type='LoadImageFromNDArray'), dict(type='Resize', scale=(40, 32), keep_ratio=True),
                dict(type='PackSegInputs')]
    head = dict(type='FCNHead', in_channels=8, in_index=0, channels=4, num_convs=1, num_classes=3,
                norm_cfg=dict(type='BN'), align_corners=False)
    backbone = dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, num_stages=1, strides=(1,),
                    dilations=(1,), out_indices=(0,), norm_cfg=dict(type='BN'))
    model = dict(type='EncoderDecoder', backbone=backbone, decode_head=head, train_cfg={}, test_cfg=dict(mode='whole'),
                 data_preprocessor=dict(type='SegDataPreProcessor'))
    return Config(dict(model=model, test_dataloader=dict(dataset=dict(pipeline=pipeline))))


def build(cfg):
    register_all_modules()
    torch.manual_seed(0)
    return MODELS.build(cfg.model).eval(), TRANSFORMS.build(dict(
        type='Compose', transforms=cfg.test_dataloader.dataset.pipeline))


def images(count):
    generator = np.random.default_rng(0)
    return [generator.integers(0, 255, (32, 40, 3), dtype=np.uint8) for _ in range(count)]


def probabilities(model, image, scale, flip):
    """Class probabilities (C, H, W) of one view, by hand."""
    import mmcv
    resized = mmcv.imrescale(image, (round(40 * scale), round(32 * scale)))
    tensor = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1))).float()[None]
    tensor = tensor.flip(3) if flip else tensor
    with torch.no_grad():
        logits = model.decode_head.forward(model.extract_feat(tensor))
    logits = torch.nn.functional.interpolate(logits, size=tensor.shape[2:], mode='bilinear')
    logits = logits.flip(3) if flip else logits
    return torch.nn.functional.interpolate(logits, size=(32, 40), mode='bilinear').softmax(dim=1)[0]


@pytest.mark.parametrize('protocol, flips', [('ms', (False,)), ('ms-flip', (False, True))])
def test_protocol_averages_the_probabilities_of_its_views(protocol, flips):
    wrapped, pipeline = build(apply_protocol(config(), protocol))
    image = images(1)[0]
    with torch.no_grad():
        sample = wrapped.test_step(pseudo_collate([pipeline(dict(img=image))]))[0]
    views = [probabilities(wrapped.module, image, scale, flip) for scale in SCALES for flip in flips]
    assert len(views) == 4 * len(flips)
    by_hand = torch.stack(views).mean(dim=0).argmax(dim=0)
    assert (sample.pred_sem_seg.data == by_hand).float().mean() > 0.999


def test_every_image_of_a_batch_gets_its_own_prediction():
    wrapped, pipeline = build(apply_protocol(config(), 'ms-flip'))
    alone = []
    with torch.no_grad():
        batch = pseudo_collate([pipeline(dict(img=image)) for image in images(2)])
        together = [sample.pred_sem_seg.data for sample in wrapped.test_step(batch)]
        for image in images(2):
            alone += [s.pred_sem_seg.data for s in wrapped.test_step(pseudo_collate([pipeline(dict(img=image))]))]
    assert not torch.equal(alone[0], alone[1])
    assert [torch.equal(a, b) for a, b in zip(alone, together, strict=True)] == [True, True]


def test_single_uses_the_pipeline_of_the_config_without_side_effects():
    cfg = config()
    before = copy.deepcopy(cfg.to_dict())
    assert apply_protocol(cfg, 'single').to_dict() == before
    apply_protocol(cfg, 'ms')
    assert cfg.to_dict() == before


def test_the_ground_truth_is_loaded_after_the_views_are_made():
    cfg = config()
    cfg.test_dataloader.dataset.pipeline.insert(2, dict(type='LoadAnnotations'))
    steps = apply_protocol(cfg, 'ms').test_dataloader.dataset.pipeline[1].transforms
    assert [[step['type'] for step in group] for group in steps] == \
        [['Resize'] * 4, ['RandomFlip'], ['LoadAnnotations'], ['PackSegInputs']]
    assert [tuple(step['scale']) for step in steps[0]] == [(30, 24), (40, 32), (50, 40), (60, 48)]


def views(*steps, protocol='ms', ending=(dict(type='PackSegInputs'),)):
    cfg = config()
    cfg.test_dataloader.dataset.pipeline = [dict(type='LoadImageFromNDArray'), *steps, *ending]
    return apply_protocol(cfg, protocol)


@pytest.mark.parametrize('step, key, expected', [
    (dict(type='Resize', scale=40), 'scale', [30, 40, 50, 60]),
    (dict(type='Resize', scale=[40, 32], scale_factor=2.0), 'scale', [(30, 24), (40, 32), (50, 40), (60, 48)]),
    (dict(type='mmseg.Resize', scale_factor=(2., 1.)), 'scale_factor', [(1.5, 0.75), (2, 1), (2.5, 1.25), (3, 1.5)]),
    (dict(type='ResizeShortestEdge', scale=32, max_size=40), 'max_size', [30, 40, 50, 60]),
    (dict(type='RandomResize', scale=(40, 32), ratio_range=(1.0, 1.0)), 'scale',
     [(30, 24), (40, 32), (50, 40), (60, 48)]),
    (dict(type='RandomChoiceResize', scales=[40]), 'scales', [[30], [40], [50], [60]])])
def test_every_resizing_transform_is_scaled(step, key, expected):
    first = views(step).test_dataloader.dataset.pipeline[1].transforms[0]
    assert [one[key] for one in first] == expected


@pytest.mark.parametrize('step', [
    dict(type='RandomResize', scale=[(40, 32), (80, 64)]), dict(type='RandomChoiceResize', scales=[40, 80]),
    dict(type='RandomResize', scale=(40, 32), ratio_range=(0.5, 2.0))])
def test_a_test_pipeline_of_random_sizes_is_an_error(step):
    with pytest.raises(ValueError, match=f'protocol ms needs fixed sizes, but {step["type"]} in .* Use Resize, or'):
        views(step)


@pytest.mark.parametrize('steps', [
    [dict(type='Resize', scale=40)], [dict(type='ResizeShortestEdge', scale=32, max_size=64)],
    [dict(type='RandomResize', scale=(40, 32), ratio_range=(1.0, 1.0), keep_ratio=True)],
    [dict(type='RandomChoiceResize', scales=[(40, 32)], keep_ratio=True)],
    [dict(type='Resize', scale=(80, 64)), dict(type='Resize', scale=(40, 32))],
    [dict(type='Resize', scale=(40, 32)), dict(type='Pad', size=(64, 64))],
    [dict(type='Resize', scale=(40, 32)), dict(type='Pad', size_divisor=2)], []])
def test_views_of_every_pipeline_have_four_sizes(steps):
    register_all_modules()
    pipeline = TRANSFORMS.build(dict(type='Compose', transforms=views(*steps).test_dataloader.dataset.pipeline))
    found = pipeline(dict(img=images(1)[0]))['inputs']
    assert len({tuple(view.shape[1:]) for view in found}) == len(found) == len(SCALES)


def test_a_fixed_padding_scales_with_the_image():
    steps = views(dict(type='Resize', scale=(40, 32)), dict(type='LoadAnnotations'), dict(type='Pad', size=(64, 48)))
    sized, flips, labels, packed = steps.test_dataloader.dataset.pipeline[1].transforms
    assert [[tuple(one.get('scale') or one['size']) for one in view['transforms']] for view in sized] == \
        [[(30, 24), (48, 36)], [(40, 32), (64, 48)], [(50, 40), (80, 60)], [(60, 48), (96, 72)]]
    assert (labels[0]['type'], packed[0]['type']) == ('LoadAnnotations', 'PackSegInputs')


def test_labels_loaded_before_the_resize_are_loaded_after_it_in_views():
    steps = views(dict(type='LoadAnnotations'), dict(type='Resize', scale=(40, 32))).test_dataloader.dataset.pipeline
    assert [[step['type'] for step in group] for group in steps[1].transforms] == \
        [['Resize'] * 4, ['RandomFlip'], ['LoadAnnotations'], ['PackSegInputs']]
    assert [step['type'] for step in steps] == ['LoadImageFromNDArray', 'TestTimeAug']


@pytest.mark.parametrize('protocol', ['single', 'ms-flip'])
def test_a_pipeline_that_makes_views_is_an_error(protocol):
    with pytest.raises(ValueError, match='makes several views of an image .TestTimeAug.*Set test_dataloader.'):
        views(dict(type='TestTimeAug', transforms=[[dict(type='Resize', scale=40)]]), ending=(), protocol=protocol)


def test_without_a_resize_the_image_itself_is_scaled():
    cfg = config()
    del cfg.test_dataloader.dataset.pipeline[1]
    steps = apply_protocol(cfg, 'ms').test_dataloader.dataset.pipeline[1].transforms
    assert [step['scale_factor'] for step in steps[0]] == list(SCALES)


def test_an_unknown_protocol_is_an_error():
    with pytest.raises(ValueError, match="unknown protocol 'flip'.*'single', 'ms', 'ms-flip'"):
        apply_protocol(config(), 'flip')


@pytest.mark.parametrize('options, protocols', [
    ([], ['single']), (['--tta'], ['ms-flip']), (['--protocols', 'single', 'ms'], ['single', 'ms'])])
def test_tta_is_the_protocol_ms_flip(monkeypatch, options, protocols):
    assert parse_test_options(monkeypatch, options).protocols == protocols


def test_tta_together_with_protocols_is_an_error(monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        parse_test_options(monkeypatch, ['--tta', '--protocols', 'ms'])
    assert end.value.code == 2
    assert 'argument --protocols: not allowed with argument --tta' in capsys.readouterr().err


def parse_test_options(monkeypatch, options):
    monkeypatch.setattr(sys, 'argv', ['test.py', 'config.py', 'checkpoint.pth', *options])
    return runpy.run_path(str(tiny.ROOT / 'tools' / 'test.py'))['parse_args']()
