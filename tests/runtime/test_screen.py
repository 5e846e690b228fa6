"""The console shows a summary; the log file is complete."""
import io
import logging
import warnings

import pytest
from helpers import tiny

from isda_seg.run import build_runner
from isda_seg.runtime.launch import load_config
from isda_seg.runtime.screen import Screen, numbers

STEP = ('Iter(train) [ 80/900]  lr: 1.8e-03  eta: 0:01:58  time: 0.14  data_time: 0.0075  loss: 0.9712  '
        'decode.loss_isda: 0.7  decode.acc_seg: 88.5  decode_head.isda_strength: 0.6  decode_head.isda_table_max: 1.7  '
        'auxiliary_head.isda_strength: 0.5')


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, *messages, level=logging.INFO):
    screen = Screen(stream)
    for message in messages:
        screen.emit(logging.LogRecord('mmengine', level, 'path', 1, message, (), None))
    return stream.getvalue()


def test_progress_line_has_position_remaining_time_and_selected_values():
    assert shown(io.StringIO(), STEP) == ('Iter(train) [ 80/900]  eta: 0:01:58  loss: 0.9712  decode.acc_seg: 88.5  '
                                          'isda_strength: 0.6\n')
    assert numbers('loss: 1.0  time: 2.0') == 'loss: 1.0'
    assert shown(io.StringIO(), STEP.replace('Iter(train) [ 80/900]', 'Epoch(train)  [3][ 8/16]')).startswith(
        'Epoch(train) [3][ 8/16]  eta: 0:01:58')


def test_progress_is_overwritten_on_a_terminal_and_rare_elsewhere():
    later = STEP.replace('80/900', '90/900')
    assert shown(Terminal(), STEP, later).count('\n') == 0
    assert shown(Terminal(), STEP, later).split('\r')[2].startswith('Iter(train) [ 90/900]')
    assert shown(io.StringIO(), STEP, later).count('\n') == 1


@pytest.mark.parametrize(('message', 'level', 'wanted'), [
    ('Config:\nmodel = dict()', logging.INFO, False), ('Hooks will be executed', logging.INFO, False),
    ('ISDA: decode_head', logging.INFO, True), ('Epoch(val) [60][20/20]    top1_error: 50.0', logging.INFO, True),
    ('Epoch(val) [60][10/20]    eta: 0:00:03', logging.INFO, False), ('resumed epoch: 2, iter: 8', logging.INFO, True),
    ('The prefix is not set in metric class IoUMetric.', logging.WARNING, False),
    ('"FileClient" will be deprecated in future', logging.WARNING, False),
    ('The model and loaded state dict do not match exactly\n\nmissing keys', logging.WARNING, True)])
def test_results_warnings_and_isda_messages_are_shown(message, level, wanted):
    assert (shown(io.StringIO(), message, level=level) == message + '\n') is wanted


def test_metrics_of_each_tau_are_not_shown():
    message = 'Iter(test) [3/3]    mIoU: 2.0  tau=0.5/mIoU: 3.0  tau=0.5/IoU.traffic light: nan  nll: 1.0'
    assert shown(io.StringIO(), message) == 'Iter(test) [3/3]    mIoU: 2.0  nll: 1.0\n'


@pytest.mark.parametrize('error', [OSError(5, 'Input/output error'), ValueError('I/O operation on closed file.')])
def test_closed_terminal_does_not_stop_the_run(error, capsys):
    class Gone(io.StringIO):
        def write(self, text):
            raise error

    assert shown(Gone(), 'ISDA: decode_head', STEP) == ''
    assert capsys.readouterr().err.count(str(error)) == 2


@tiny.on_cpu
def test_console_output_is_short_and_the_log_file_is_complete(tmp_path, capsys):
    tiny.leave_layout()
    cfg = load_config(str(tiny.write_configs(tmp_path)[1]), None, str(tmp_path / 'work'))
    cfg.experiment_name = cfg.visualizer.name = 'quiet'
    runner = build_runner(cfg, quiet=True)
    runner.train()
    warnings.warn('of a host', DeprecationWarning, stacklevel=1)
    lines = capsys.readouterr().out.splitlines()
    assert 4 <= len(lines) <= 12
    assert next(line for line in lines if line.startswith('training ')) == (
        f'training EncoderDecoder on 6 images for 6 iterations; full log: {runner.log_dir}/'
        f'{runner.timestamp}.log')
    assert [line.split(' ')[1] for line in lines if ' is attached to ' in line] == ['decode_head', 'auxiliary_head']
    log = (tmp_path / 'work' / runner.timestamp / f'{runner.timestamp}.log').read_text()
    assert any('isda_strength: 1.2500' in line for line in lines if line.startswith('Iter(train)'))
    assert log.count('Iter(train)') == 6 and 'lambda_0=7.5' in log and 'Config:' in log


@tiny.on_cpu
def test_testing_prints_only_the_results(tmp_path, monkeypatch, capsys):
    config = tiny.write_configs(tmp_path)[0]
    tiny.train(config, tmp_path / 'work', {'train_cfg.max_iters': 2})
    capsys.readouterr()
    tiny.run_tool(monkeypatch, 'test.py', config, tmp_path / 'work' / 'iter_2.pth', '--work-dir', tmp_path / 'test')
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 8 and lines[-2].split('|')[1].strip() == 'single'
