"""The compared training steps differ only in ISDA."""
from pathlib import Path

import pytest
import torch

from isda_seg.paper.cost.step import make_batch, training_step

DEMO = Path(__file__).resolve().parents[3] / 'configs' / 'demo'
CONFIG = DEMO / 'pspnet_r18-small-d8_isda_1xb8-400_streets-192x128.py'


def test_isda_step_differs_from_the_baseline_only_in_the_loss():
    plain, _ = training_step(CONFIG.with_name(CONFIG.name.replace('_isda', '')), 64, 2, torch.device('cpu'))
    isda, classes = training_step(CONFIG, 64, 2, torch.device('cpu'))
    assert classes == 19
    found = []
    for step in (plain, isda):
        torch.manual_seed(1)  # dropout
        found.append({name: value.item() for name, value in step().items()})
    isda = {name.replace('loss_isda', 'loss_ce'): value for name, value in found[1].items()}
    assert isda.keys() == found[0].keys() and isda.keys() >= {'decode.loss_ce', 'aux.loss_ce'}
    assert all(isda[name] > found[0][name] for name in ('decode.loss_ce', 'aux.loss_ce'))
    assert isda['decode.acc_seg'] == pytest.approx(found[0]['decode.acc_seg'])


def test_batches_use_the_ignore_index_of_the_head():
    batch = make_batch(classes=4, ignore_index=9, size=24, images=3, seed=0)
    labels = torch.cat([sample.gt_sem_seg.data for sample in batch['data_samples']])
    assert labels.shape == (3, 24, 24) and len(batch['inputs']) == 3
    assert set(labels.unique().tolist()) == {0, 1, 2, 3, 9}
