"""tools/train.py and tools/test.py with a detector: results, visualisations and resume on real images."""
import json

import cv2
import pytest
import torch
from helpers import tiny, tiny_coco

from isda_seg.runtime.launch import load_config

pytestmark = [pytest.mark.mmdet, tiny.on_cpu]

MASKS = tiny_coco.SMALL.with_name('mask-rcnn_mobilenetv2-fpn_1xb2-30e_coco256-16-320x240.py')


def change(cfg):
    """Four images, two steps an epoch, two epochs."""
    tiny_coco.shrink(cfg, images=4, batch=2)
    cfg.train_cfg.update(max_epochs=2, val_interval=2)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 2


@pytest.fixture(scope='module')
def run(tmp_path_factory, data_folder):
    """A work directory with both checkpoints of a run of the small config, and its steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ISDA_SEG_DATA', str(data_folder('coco256').parent))
        data_folder('weights')
        folder = tmp_path_factory.mktemp('run')
        _, watch = tiny_coco.train(tiny_coco.SMALL, folder, change)
        yield folder, watch.steps


def evaluated(config, checkpoint, tmp_path, **options):
    from isda_seg.detection.evaluation import evaluate
    cfg = load_config(str(config), work_dir=str(tmp_path))
    tiny_coco.shrink(cfg)
    return evaluate(cfg, str(config), str(checkpoint), **options)


def test_resume_is_bitwise_exact(run, tmp_path):
    folder, steps = run
    _, watch = tiny_coco.train(tiny_coco.SMALL, tmp_path, change, resume=folder / 'epoch_1.pth')
    assert watch.steps == steps[2:] and len(steps) == 4
    assert tiny.differing(tiny.saved_state(tmp_path / 'epoch_2.pth'), tiny.saved_state(folder / 'epoch_2.pth')) == []
    meta = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)['meta']
    assert (len(meta['runs']), meta['backbone']['checkpoint']) == (2, 'mobilenetv2_imagenet_mm.pth')


def test_resume_with_another_seed_is_an_error(run, tmp_path):
    with pytest.raises(ValueError, match='was trained with seed 0, this run has seed 1. Resume with'):
        tiny_coco.train(tiny_coco.SMALL, tmp_path, change, resume=run[0] / 'epoch_1.pth',
                        options={'randomness.seed': 1})


def test_box_and_mask_map_in_per_cent_and_the_backbone_in_results(run, tmp_path):
    result = evaluated(MASKS, run[0] / 'epoch_2.pth', tmp_path)
    found = result['protocols']['single']
    sizes = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
    assert list(found) == [f'{kind}_{name}' for kind in ('bbox', 'segm') for name in sizes]
    assert all(value is None or 0 <= value < 20 for value in found.values())
    assert (result['backbone']['checkpoint'], result['backbone']['tensors']) == ('mobilenetv2_imagenet_mm.pth', 255)
    assert [entry['seed'] for entry in result['training']] == [0]


@pytest.mark.parametrize('photographs', [True, False])
def test_tool_writes_results_and_visualisations(run, tmp_path, monkeypatch, data_folder,
                                                                            photographs):
    options = ['test_dataloader.dataset.indices=2', 'test_dataloader.dataset.pipeline.1.scale=(160,128)',
               f'pictures.photographs={photographs}', 'pictures.score=0.9']
    tiny.run_tool(monkeypatch, 'test.py', tiny_coco.SMALL, run[0] / 'epoch_2.pth', '--work-dir', tmp_path / 'work',
                  '--out', tmp_path / 'out.json', '--show-dir', tmp_path / 'pictures', '--show-most', 1,
                  '--cfg-options', *options)
    result = json.loads((tmp_path / 'out.json').read_text())
    assert list(result['protocols']['single'])[0] == 'bbox_mAP'
    (path,) = (tmp_path / 'pictures').iterdir()
    picture = cv2.imread(str(path))
    source = cv2.imread(str(data_folder('coco256') / 'images' / 'val2017' / f'{path.stem}.jpg'))
    assert picture.shape == (source.shape[0], 2 * source.shape[1], 3)
    grey = (picture == 235).all(-1).mean()
    assert grey < 0.01 if photographs else grey > 0.2


def test_another_model_is_an_error(tmp_path, backbones):
    with pytest.raises(ValueError, match='isda_mmdet.pth is not a checkpoint of this detector: 0 of .* covered'):
        evaluated(tiny_coco.SMALL, backbones['isda'].exported, tmp_path)


def test_missing_object_size_is_none_and_a_row_shows_every_metric():
    from isda_seg.detection.evaluation import in_per_cent, summary
    found = in_per_cent({'coco/bbox_mAP': 0.386, 'coco/bbox_mAP_s': -1.0, 'coco/bbox_mAP_copypaste': '0.386 -1.000'})
    assert found == dict(bbox_mAP=38.6, bbox_mAP_s=None)
    lines = summary(dict(protocols=dict(single=found)), 'name').splitlines()
    assert [[cell.strip() for cell in line.split('|')] for line in lines] == [
        ['', 'bbox_mAP', 'bbox_mAP_s'], ['name', '38.6', '-']]
