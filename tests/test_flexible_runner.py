"""ISDAHook under the FlexibleRunner of MMEngine, with FSDPStrategy on two gloo ranks and with a compiled model."""

import shutil

import pytest
import torch
import torch.nn.functional as F
from helpers.two_ranks import two_ranks
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import nn
from torch.testing import assert_close

import isda_seg.losses  # noqa: F401  registers ISDALoss
from isda_seg.attach import attach
from isda_seg.core import linear_ramp

pytestmark = [pytest.mark.family('onedl'), pytest.mark.exhaustive]
CLASSES, STEPS, LAMBDA_0, SIZE = 5, 4, 4.0, 8
WAYS = (False, True)  # use_orig_params


class Head(nn.Module):
    """The least that ISDAHook knows as a head."""

    num_classes, align_corners = CLASSES, False

    def __init__(self):
        super().__init__()
        self.conv_seg = nn.Conv2d(8, CLASSES, 1)
        self.loss_decode = MODELS.build(dict(type='ISDALoss', lambda_0=LAMBDA_0))


class Segmenter(BaseModel):

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.decode_head = nn.Conv2d(3, 8, 3, padding=1), Head()

    def forward(self, inputs, labels, mode='loss'):
        logits = F.interpolate(self.decode_head.conv_seg(self.stem(inputs).relu()), size=labels.shape[1:],
                               mode='bilinear')
        return dict(loss=self.decode_head.loss_decode(logits, labels))


def sample(index):
    generator = torch.Generator().manual_seed(index)
    return dict(inputs=torch.randn(3, SIZE, SIZE, generator=generator),
                labels=torch.randint(CLASSES, (2 * SIZE, 2 * SIZE), generator=generator))


def whole_run():
    """One process that sees the images of both ranks, in the order they are shared out."""
    model = Segmenter()
    loss, optimizer = model.decode_head.loss_decode, torch.optim.SGD(model.parameters(), lr=0.1)
    attach(loss, model.decode_head.conv_seg)
    for step in range(STEPS):
        loss.strength = linear_ramp(step + 1, STEPS, LAMBDA_0)
        samples = [sample(4 * step + i) for i in range(4)]
        optimizer.zero_grad()
        model(**{key: torch.stack([one[key] for one in samples]) for key in samples[0]})['loss'].backward()
        optimizer.step()
    return model


def on_rank(rank, out):
    from mmengine.runner import FlexibleRunner
    from torch.distributed.fsdp import FullyShardedDataParallel

    import isda_seg.hooks  # noqa: F401
    results = {}

    def runner(work_dir, **kwargs):
        wrapper = dict(type='MMFullyShardedDataParallel', use_orig_params=way, device_id=torch.device('cpu'))
        return FlexibleRunner(
            Segmenter(), strategy=dict(type='FSDPStrategy', model_wrapper=wrapper, state_dict_cfg='local'),
            work_dir=f'{out}/{work_dir}', train_cfg=dict(by_epoch=False, max_iters=STEPS),
            train_dataloader=dict(batch_size=2, dataset=[sample(i) for i in range(4 * STEPS)], collate_fn=dict(
                type='default_collate'), sampler=dict(type='DefaultSampler', shuffle=False)),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), launcher='pytorch', default_hooks=dict(
                isda=dict(type='ISDAHook'), logger=dict(type='LoggerHook', interval=1),
                checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)), **kwargs)

    for way in WAYS:
        first = runner(f'first{way}')
        first.train()
        loss = first.model.module.decode_head.loss_decode
        with FullyShardedDataParallel.summon_full_params(first.model):
            weight = first.model.module.decode_head.conv_seg.weight.detach().clone()
        logged = float(first.message_hub.get_scalar('train/decode_head.isda_table_max').current())
        results[way] = dict(weight=weight, moments=tuple(loss.statistics.moments), strength=loss.strength,
                            logged=logged, table=float(loss.table().max()))
    second = runner('second', load_from=f'{out}/first{way}/iter_2.pth')
    second.train()
    results['seen'] = int(second.model.module.decode_head.loss_decode.statistics.count.sum())
    return results


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    return two_ranks(on_rank, tmp_path_factory.mktemp('flexible'))


@pytest.mark.parametrize('way', WAYS)
def test_the_hook_trains_sharded_weights_like_one_process(ranks, way):
    model, found = whole_run(), [rank[way] for rank in ranks]
    for rank in found:
        assert rank['strength'] == LAMBDA_0
        assert_close(rank['weight'], model.decode_head.conv_seg.weight.detach())
        assert_close(rank['moments'], tuple(model.decode_head.loss_decode.statistics.moments))
        assert rank['logged'] == rank['table'] > 0  # of the last call: the weights are away outside of it
    assert all(torch.equal(*fields) for fields in zip(*(rank['moments'] for rank in found), strict=True))


def test_statistics_of_a_sharded_checkpoint_load_before_attach(ranks):
    assert [rank['seen'] for rank in ranks] == [(2 + STEPS) * 4 * SIZE ** 2] * 2


@pytest.mark.exhaustive
@pytest.mark.skipif(shutil.which('g++') is None, reason='inductor needs a C++ compiler on a CPU')
def test_the_hook_trains_a_compiled_model_like_an_eager_one(tmp_path):
    from mmengine.runner import Runner

    import isda_seg.hooks  # noqa: F401
    model = Segmenter()
    model.compile()
    runner = Runner(
        model, work_dir=str(tmp_path), train_cfg=dict(by_epoch=False, max_iters=STEPS),
        train_dataloader=dict(batch_size=4, dataset=[sample(i) for i in range(4 * STEPS)], collate_fn=dict(
            type='default_collate'), sampler=dict(type='DefaultSampler', shuffle=False)),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), default_hooks=dict(isda=dict(type='ISDAHook')))
    runner.train()
    assert_close(runner.model.state_dict(), dict(whole_run().state_dict()))
    assert runner.model.decode_head.loss_decode.strength == LAMBDA_0
