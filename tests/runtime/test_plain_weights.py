"""Exported weights load strictly into the plain model."""
import pytest
import torch
from helpers import tiny
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules

from isda_seg.core import ClassStatistics
from isda_seg.runtime.plain_weights import plain_state

pytestmark = tiny.on_cpu


def test_exported_weights_load_strictly_into_the_plain_model(tmp_path, monkeypatch, capsys):
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


def test_weights_of_a_wrapped_loss_are_renamed_back():
    state = {'module.head.loss.statistics.count': 1, 'module.head.loss.ramp.calls': 2, 'module.head.loss.base.scale': 3,
             'module.head.other.base.scale': 4, 'module.head.statistics.total': 5}
    assert plain_state(state) == ({'head.loss.scale': 3, 'head.other.base.scale': 4, 'head.statistics.total': 5},
                                  ['head.loss.statistics.count', 'head.loss.ramp.calls'])


def test_the_capacity_that_accelerators_save_belongs_to_the_statistics():
    state = {'head.loss.statistics.count': torch.zeros(2), 'head.loss.statistics.capacity': torch.tensor(8),
             'head.fc.weight': torch.ones(1)}
    kept, dropped = plain_state(state)
    assert (list(kept), dropped) == (['head.fc.weight'], list(state)[:2])
