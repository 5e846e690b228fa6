"""Statistics that a run takes over from a checkpoint are reported, with the option for empty ones."""
import pytest
from helpers import tiny
from helpers.exhaustive import exhaustive

from isda_seg.runtime.options import add_cfg_options

pytestmark = tiny.on_cpu
HOOK = {'default_hooks.isda.type': 'isda_seg.hooks.ISDAHook', 'default_hooks.isda.lambda_0': 7.5,
        'custom_imports.imports': ['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.segmentation']}


def counts(runner):
    state = runner.model.state_dict()
    return {key: int(value.sum()) for key, value in state.items() if key.endswith('statistics.count')}


CUSTOM = "\ncustom_hooks = [dict(type='IterTimerHook'), dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5)]\n"


@exhaustive('place', ['loss', 'default_hooks', 'custom_hooks'])
def test_loaded_statistics_are_reported_with_an_option_that_works(tmp_path, place):
    import argparse
    plain, isda = tiny.write_configs(tmp_path)
    config, options = (isda, {}) if place == 'loss' else (plain, HOOK if place == 'default_hooks' else {})
    if place == 'custom_hooks':
        plain.write_text(plain.read_text() + CUSTOM)
    short = {**options, 'train_cfg.max_iters': 1}
    before = counts(tiny.train(config, tmp_path / 'first', short)[0])
    short['load_from'] = str(tmp_path / 'first/iter_1.pth')
    after = counts(tiny.train(config, tmp_path / 'second', short)[0])
    assert after == {key: 2 * value for key, value in before.items()}
    lines = [line.split('ISDA: ')[1] for line in next((tmp_path / 'second').glob('*/*.log')).read_text().splitlines()
             if 'continues the class statistics' in line]
    assert [line.split(' ')[0] for line in lines] == ['decode_head.loss_decode', 'auxiliary_head.loss_decode']
    assert f'of {before["decode_head.loss_decode.statistics.count"]} samples from a checkpoint' in lines[0]
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    for line in lines:
        short |= parser.parse_args(['--cfg-options', line.split('--cfg-options ')[1]]).cfg_options
    assert counts(tiny.train(config, tmp_path / 'third', short)[0]) == before
    log = next((tmp_path / 'third').glob('*/*.log')).read_text()
    assert 'continues the class statistics' not in log


@pytest.mark.exhaustive
def test_a_resumed_run_reports_no_loaded_statistics(tmp_path):
    _, isda = tiny.write_configs(tmp_path)
    tiny.train(isda, tmp_path / 'work', {'train_cfg.max_iters': 2})
    tiny.train(isda, tmp_path / 'rest', resume=tmp_path / 'work/iter_2.pth')
    assert 'continues the class statistics' not in next((tmp_path / 'rest').glob('*/*.log')).read_text()
