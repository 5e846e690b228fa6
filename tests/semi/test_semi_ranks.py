"""Several ranks in semi-supervised training, through the user scripts on gloo: equal state on all ranks."""
import pytest
import torch
from helpers import tiny, tiny_semi
from helpers.rank_runs import ranks, run

pytestmark = [tiny.on_cpu, pytest.mark.exhaustive]

PROBE = '''"""A record of every step on every rank."""
from helpers import rank_runs, tiny
from mmengine.registry import HOOKS

tiny.leave_layout()


@HOOKS.register_module()
class SemiRecord(rank_runs.RankRecord):
    """Statistics of labelled features, state of the method, and the unlabelled images seen."""

    def of(self, model, data_batch):
        method = model.method.state_dict()
        return dict(statistics=tiny.digest(model.loss.statistics.state_dict().values()),
                    memory=tiny.digest(v for k, v in method.items() if 'running_' not in k and 'tracked' not in k),
                    seen=data_batch['unlabelled']['index'].tolist())
'''
CONFIG = '''"""A narrow CNN-13 on 100 images, 20 a step, however many ranks share them."""
_base_ = {base!r}
custom_imports = dict(imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.semi', 'isda_seg.paper.semi_cifar',
                               'semi_probe'], allow_failed_imports=False)
ranks = int('{{{{$WORLD_SIZE:1}}}}')
model = dict(backbone=dict(width=1 / 32))
zca_file = {zca!r}
train_dataloader = dict(batch_size=20 // ranks, num_workers=0, persistent_workers=False,
                        dataset=dict(num_labels=20, dataset=dict(file=zca_file)))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(file=zca_file))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2)
custom_hooks = [dict(type='SemiHook'), dict(type='SemiRecord')]
'''


@pytest.fixture(scope='module')
def folder(tiny_data, tmp_path_factory):
    """Configs with ISDA, and a whitening that every rank only reads."""
    folder = tmp_path_factory.mktemp('semi_ranks')
    (folder / 'semi_probe.py').write_text(PROBE)
    for name in ('te', 'mt', 'vat'):
        base = str(tiny_semi.SEMI / 'cifar10' / f'{name}_isda_cifar10.py')
        (folder / f'{name}.py').write_text(CONFIG.format(base=base, zca=str(tiny_data.zca)))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        tiny.build(folder / 'te.py', folder / 'first').train_loop  # noqa: B018  fits and writes the whitening
        yield folder


@pytest.mark.parametrize('name', ['te', 'mt', 'vat'])
def test_ranks_are_bitwise_equal_and_partition_the_images(name, folder):
    run(folder, 'dist_train.sh', folder / f'{name}.py', 2, '--work-dir', folder / f'{name}_2')
    first, second = ranks(folder / f'{name}_2', 2)
    assert len(first) == len({step['statistics'] for step in first}) == 10
    for a, b in zip(first, second, strict=True):
        assert (a['statistics'], a['weights']) == (b['statistics'], b['weights'])
        assert a['norms'] != b['norms']  # batch norm sees its own rank only
        assert not set(a['seen']) & set(b['seen'])
        assert a['memory'] == b['memory']
    assert sorted(index for step in (*first[:5], *second[:5]) for index in step['seen']) == list(range(100))
    state = torch.load(folder / f'{name}_2' / 'epoch_2.pth', weights_only=False)['state_dict']
    assert int(state['loss.statistics.count'].sum()) == 200
    if name == 'te':  # every image of both ranks was folded in after both epochs
        assert state['method.epochs'].tolist() == [2] * 100
        torch.testing.assert_close(state['method.targets'].sum(dim=1), torch.ones(100), rtol=1e-4, atol=1e-4)
