"""Several ranks of a classifier, through the user scripts on gloo: full covariances are equal on all ranks."""
import json

import pytest
import torch
from helpers import tiny, tiny_images
from helpers.rank_runs import ranks, run

pytestmark = [tiny.on_cpu, pytest.mark.exhaustive]

PROBE = '''"""A record of every step on every rank."""
from helpers import rank_runs, tiny
from mmengine.registry import HOOKS

tiny.leave_layout()


@HOOKS.register_module()
class ClassifierRecord(rank_runs.RankRecord):
    """The statistics, and the images seen."""

    def of(self, model, data_batch):
        return dict(statistics=tiny.digest(model.loss.statistics.state_dict().values()),
                    images=tiny.digest([data_batch['inputs']]))
'''
CONFIG = f'''"""A small ResNet with full covariances; eight images in a step, however many ranks share them."""
_base_ = {str(tiny_images.CLASSIFICATION / 'cifar10' / 'resnet32_isda_cifar10.py')!r}
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.classification', 'classifier_probe'],
    allow_failed_imports=False)
ranks = int('{{{{$WORLD_SIZE:1}}}}')
model = dict(backbone=dict(depth=8))
train_dataloader = dict(
    batch_size=8 // ranks, num_workers=0, persistent_workers=False, dataset=dict(indices=24))
val_dataloader = dict(batch_size=8, num_workers=0, persistent_workers=False, dataset=dict(indices=19))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1)
custom_hooks = [dict(type='ClassifierRecord')]
'''
FROZEN = '''"""The features of an image never change: no augmentation, learning rate 0, norms in eval mode."""
_base_ = './training.py'
train_dataloader = dict(
    sampler=dict(shuffle=False), dataset=dict(pipeline=[dict(type='PackImages')]))
optim_wrapper = dict(optimizer=dict(lr=0.0, weight_decay=0.0))
custom_hooks = [dict(type='FrozenNorms'), dict(type='ClassifierRecord')]
'''


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    tiny_images.write_cifar(folder)
    for name, text in (('classifier_probe', PROBE), ('training', CONFIG), ('frozen', FROZEN)):
        (folder / f'{name}.py').write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv('ISDA_SEG_DATA', str(folder))
        yield folder


def statistics(state):
    return {key.removeprefix('module.'): value for key, value in state.items() if '.statistics.' in key}


def test_two_ranks_observe_what_one_process_observes(folder):
    run(folder, 'dist_train.sh', folder / 'frozen.py', 2, '--work-dir', folder / 'frozen_2')
    runner, _ = tiny.train(folder / 'frozen.py', folder / 'frozen_1')
    expected = statistics(runner.model.state_dict())
    found = statistics(torch.load(folder / 'frozen_2/epoch_1.pth', weights_only=False)['state_dict'])
    assert sorted(found) == sorted(expected) and expected['loss.statistics.covariance'].shape == (10, 64, 64)
    assert torch.equal(found['loss.statistics.count'], expected['loss.statistics.count'])
    assert int(expected['loss.statistics.count'].sum()) == 24
    for name in ('mean', 'covariance'):
        value = expected[f'loss.statistics.{name}']
        torch.testing.assert_close(found[f'loss.statistics.{name}'], value, rtol=1e-5, atol=1e-6 * float(value.max()))
        assert value.abs().max() > 0.01


@pytest.fixture(scope='module')
def trained(folder):
    """The work directory of a training on two ranks, as it is."""
    run(folder, 'dist_train.sh', folder / 'training.py', 2, '--work-dir', folder / 'training')
    return folder / 'training'


def test_ranks_are_bitwise_equal_at_every_step(trained):
    first, second = ranks(trained, 2)
    assert len(first) == len({step['statistics'] for step in first}) == 3
    for a, b in zip(first, second, strict=True):
        assert (a['statistics'], a['weights']) == (b['statistics'], b['weights'])
        assert a['images'] != b['images'] and a['norms'] != b['norms']


def test_evaluation_on_two_ranks_equals_one_process(folder, trained, tmp_path, monkeypatch):
    config, checkpoint = folder / 'training.py', trained / 'epoch_1.pth'
    run(folder, 'dist_test.sh', config, checkpoint, 2, '--work-dir', tmp_path / 'two', '--out', tmp_path / 'two.json')
    tiny.run_tool(monkeypatch, 'test.py', config, checkpoint, '--work-dir', tmp_path / 'one', '--out',
                  tmp_path / 'one.json')
    two, one = (json.loads((tmp_path / f'{name}.json').read_text())['protocols'] for name in ('two', 'one'))
    assert two == one
    assert 0 < one['single']['top1_error'] <= 100
