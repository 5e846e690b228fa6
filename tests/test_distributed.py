"""Statistics on two gloo ranks, through the scripts that users run, do not depend on the sharding of samples."""

import json

import cv2
import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.rank_runs import ranks, run

pytestmark = tiny.on_cpu

PROBE = '''"""What the configs below need: uneven shards, and a record of every step on every rank."""
from pathlib import Path

from helpers import rank_runs, tiny
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS, HOOKS

tiny.leave_layout()


@DATA_SAMPLERS.register_module()
class ShardSampler:
    """Every step's samples in order, rank r taking sizes[r] of them."""

    def __init__(self, dataset, sizes, seed=None):
        rank, _ = get_dist_info()
        starts = range(0, len(dataset), sum(sizes))
        offset = sum(sizes[:rank])
        self.indices = [start + offset + i for start in starts for i in range(sizes[rank])]

    def __iter__(self):
        return iter(self.indices)

    def __len__(self):
        return len(self.indices)


@HOOKS.register_module()
class SegmenterRecord(rank_runs.RankRecord):
    """The statistics of both heads, and the files seen."""

    def of(self, model, data_batch):
        state = model.state_dict()
        return dict({head: tiny.digest(v for k, v in state.items() if k.startswith(f'{head}.loss_decode.statistics'))
                     for head in ('decode_head', 'auxiliary_head')},
                    files=[Path(sample.img_path).name for sample in data_batch['data_samples']])
'''
IMPORTS = "['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.segmentation', 'probe']"
FROZEN = f'''"""Norms in eval mode, no dropout, learning rate 0: the features of a sample never change."""
_base_ = './tiny_isda_1xb2.py'
custom_imports = dict(imports={IMPORTS}, allow_failed_imports=False)
sizes = [None, [6], [5, 1], [1, 3, 2]][int('{{{{$WORLD_SIZE:1}}}}')]
model = dict(
    decode_head=dict(dropout_ratio=0.0),
    auxiliary_head=dict(dropout_ratio=0.0, loss_decode=dict(lambda_0=0.5, covariance='full')))
pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='Resize', scale=(64, 48)),
            dict(type='PackSegInputs')]
train_dataloader = dict(
    batch_size=sizes[int('{{{{$RANK:0}}}}')], sampler=dict(_delete_=True, type='ShardSampler', sizes=sizes),
    dataset=dict(pipeline=pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.0, weight_decay=0.0))
param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=False)]
train_cfg = dict(max_iters=3)
custom_hooks = [dict(type='FrozenNorms'), dict(type='SegmenterRecord')]
'''
TRAINING = f'''"""Training as it is; the auxiliary head's statistics stay on their rank, as in the authors' code."""
_base_ = './tiny_isda_1xb2.py'
custom_imports = dict(imports={IMPORTS}, allow_failed_imports=False)
model = dict(auxiliary_head=dict(loss_decode=dict(sync=False)))
train_cfg = dict(max_iters=4)
custom_hooks = [dict(type='SegmenterRecord')]
'''


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Tiny data, 18 training pictures of which the first is all void, the configs and the probe."""
    folder = tmp_path_factory.mktemp('ranks')
    tiny.write_configs(folder, train=18, val=3)
    label = str(folder / 'camvid/trainannot/0.png')
    assert cv2.imwrite(label, np.full_like(cv2.imread(label, cv2.IMREAD_GRAYSCALE), tiny.CAMVID_VOID))
    for name, text in (('probe', PROBE), ('frozen', FROZEN), ('training', TRAINING)):
        (folder / f'{name}.py').write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


@pytest.fixture(scope='module')
def one_process(folder):
    """The statistics one process finds with frozen features."""
    runner, _ = tiny.train(folder / 'frozen.py', folder / 'frozen_1')
    return {key: value for key, value in runner.model.state_dict().items() if '.statistics.' in key}


@pytest.mark.exhaustive
@pytest.mark.parametrize('count', [2, 3])
def test_uneven_shards_give_the_statistics_of_one_process(folder, one_process, count):
    work = folder / f'frozen_{count}'
    run(folder, 'dist_train.sh', folder / 'frozen.py', count, '--work-dir', work)
    files = [[step['files'] for step in rank] for rank in ranks(work, count)]
    assert [len(rank[0]) for rank in files] == {2: [5, 1], 3: [1, 3, 2]}[count]
    if count == 3:
        assert files[0][0] == ['0.png']  # all void: an empty shard
    assert len({name for rank in files for step in rank for name in step}) == 18
    saved = torch.load(work / 'iter_3.pth', weights_only=False)['state_dict']
    found = {key: value for key, value in saved.items() if '.statistics.' in key}
    assert sorted(found) == sorted(one_process)
    for key, expected in one_process.items():
        if key.endswith('count'):
            assert torch.equal(found[key], expected)
        else:
            torch.testing.assert_close(found[key], expected, rtol=0, atol=1e-6)
            assert expected.abs().max() > 0.1
    assert len({step['weights'] for rank in ranks(work, count) for step in rank}) == 1


@pytest.fixture(scope='module')
def trained(folder):
    """The work directory of a real training on two ranks."""
    run(folder, 'dist_train.sh', folder / 'training.py', 2, '--work-dir', folder / 'training')
    return folder / 'training'


def test_all_ranks_are_bitwise_equal_at_every_step(trained):
    first, second = ranks(trained, 2)
    assert len(first) == 4
    assert len({step['decode_head'] for step in first}) == 4
    for a, b in zip(first, second, strict=True):
        assert a['decode_head'] == b['decode_head']
        assert a['weights'] == b['weights']
        assert not set(a['files']) & set(b['files'])
        assert a['norms'] != b['norms']                    # BN sees its own rank only
        assert a['auxiliary_head'] != b['auxiliary_head']  # sync=False


@pytest.fixture
def one_thread():
    """Every rank of `run` has one; another number of threads may round differently."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.exhaustive
def test_evaluation_on_two_ranks_equals_one_process(folder, trained, one_thread, tmp_path, monkeypatch):
    config, checkpoint = folder / 'training.py', trained / 'iter_4.pth'
    run(folder, 'dist_test.sh', config, checkpoint, 2, '--work-dir', tmp_path / 'two', '--out', tmp_path / 'two.json')
    tiny.run_tool(monkeypatch, 'test.py', config, checkpoint, '--work-dir', tmp_path / 'one', '--out',
                  tmp_path / 'one.json')
    two, one = (json.loads((tmp_path / f'{name}.json').read_text())['protocols'] for name in ('two', 'one'))
    assert two == one
    assert 0 < one['single']['mIoU'] <= 100


@pytest.mark.exhaustive
def test_gradients_of_two_ranks_between_two_updates_are_resumed(folder, tmp_path):
    options = ['--cfg-options', 'optim_wrapper.accumulative_counts=2', 'train_cfg.max_iters=4',
               'default_hooks.checkpoint.interval=1']
    run(folder, 'dist_train.sh', folder / tiny.ISDA, 2, '--work-dir', tmp_path / 'whole', *options)
    run(folder, 'dist_train.sh', folder / tiny.ISDA, 2, '--work-dir', tmp_path / 'rest', '--resume',
        tmp_path / 'whole/iter_3.pth', *options)
    before, whole, rest = (torch.load(tmp_path / name, weights_only=False) for name in (
        'whole/iter_3.pth', 'whole/iter_4.pth', 'rest/iter_4.pth'))
    stored = before['accumulated_gradients']['ranks']
    assert len(stored) == 2
    assert any(not torch.equal(stored[0][name], stored[1][name]) for name in stored[0])
    before, whole, rest = (tiny.digest(found['state_dict'].values()) for found in (before, whole, rest))
    assert rest == whole != before
