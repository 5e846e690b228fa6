"""Coverage of a network by a state dict; exported weights load strictly into the plain model."""
import pytest
import torch
from helpers import tiny
from mmengine.config import Config
from mmengine.registry import DefaultScope

from isda_seg.core import ClassStatistics
from isda_seg.runtime.weights import coverage, plain_state, weights_in

WANTED = {'conv1.weight': torch.zeros(2), 'bn1.weight': torch.zeros(2), 'bn1.num_batches_tracked': torch.zeros(())}


def test_equal_names_and_shapes_are_full_coverage():
    found = coverage(WANTED, {key: torch.ones_like(value) for key, value in WANTED.items()})
    assert (found.full, str(found)) == (True, '2 of 2 tensors covered')


def test_batch_counts_may_be_missing_and_other_modules_are_ignored():
    found = coverage(WANTED, {'conv1.weight': torch.ones(2), 'bn1.weight': torch.ones(2), 'fc.weight': torch.ones(9)})
    assert (found.full, found.covered, found.total) == (True, 2, 2)


def test_missing_unexpected_and_reshaped_weights_are_reported():
    found = coverage(WANTED, {'conv1.weight': torch.ones(3), 'bn1.scale': torch.ones(2)})
    assert found.full is False
    assert str(found) == ('0 of 2 tensors covered; missing: bn1.weight; unexpected: bn1.scale; '
                          'wrong shape: conv1.weight (3,) instead of (2,)')


def test_weights_lose_the_prefix_of_data_parallel():
    state = {'module.fc.weight': 1, 'backbone.module.weight': 2}
    found = {'fc.weight': 1, 'backbone.module.weight': 2}
    assert weights_in(dict(state_dict=state, meta={})) == weights_in(state) == found


def test_long_lists_are_truncated():
    found = coverage({f'layer.{number}': torch.zeros(1) for number in range(8)}, {})
    assert str(found).partition('missing: ')[2] == 'layer.0, layer.1, layer.2, layer.3, layer.4 and 3 more'


@tiny.on_cpu
def test_exported_weights_load_strictly_into_the_plain_model(tmp_path, monkeypatch, capsys):
    from mmseg.registry import MODELS
    from mmseg.utils import register_all_modules
    plain, isda = tiny.write_configs(tmp_path)
    trained = tiny.train(isda, tmp_path / 'work', {'train_cfg.max_iters': 2})[0].model
    tiny.run_tool(monkeypatch, 'export_model.py', tmp_path / 'work' / 'iter_2.pth', '--out',
                  tmp_path / 'plain.pth')
    assert capsys.readouterr().out.splitlines()[-1].endswith(
        'left out ' + ', '.join(f'{head}.loss_decode.statistics.{name}' for head in ('decode_head', 'auxiliary_head')
                                for name in ClassStatistics(11, 8).state_dict()))
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(plain).model)
    written = torch.load(tmp_path / 'plain.pth', weights_only=False)
    assert set(written) == {'meta', 'state_dict'}
    model.load_state_dict(written['state_dict'], strict=True)
    assert torch.equal(model.decode_head.conv_seg.weight, trained.decode_head.conv_seg.weight)
    with pytest.raises(ValueError, match='--out would replace the input .*iter_2.pth'):
        tiny.run_tool(monkeypatch, 'export_model.py', tmp_path / 'work' / 'iter_2.pth', '--out',
                      tmp_path / 'work/iter_2.pth')


@tiny.on_cpu
def test_weights_of_a_wrapped_loss_are_renamed_back():
    state = {'head.loss.statistics.count': 1, 'head.loss.ramp.calls': 2, 'head.loss.base.scale': 3,
             'head.other.base.scale': 4, 'head.statistics.total': 5}
    assert plain_state(state) == ({'head.loss.scale': 3, 'head.other.base.scale': 4, 'head.statistics.total': 5},
                                  ['head.loss.statistics.count', 'head.loss.ramp.calls'])


@tiny.on_cpu
def test_the_capacity_that_accelerators_save_belongs_to_the_statistics():
    state = {'head.loss.statistics.count': torch.zeros(2), 'head.loss.statistics.capacity': torch.tensor(8),
             'head.fc.weight': torch.ones(1)}
    kept, dropped = plain_state(state)
    assert (list(kept), dropped) == (['head.fc.weight'], list(state)[:2])
