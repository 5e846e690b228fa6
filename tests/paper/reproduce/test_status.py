"""The state of a run follows from its files while it runs, fails, is killed or has ended."""
import io
import json
import os
import shutil

import pytest
from helpers import tiny
from mmengine.config import Config

from isda_seg.paper.reproduce import status
from isda_seg.paper.reproduce.catalogue import catalogue
from isda_seg.paper.reproduce.plan import make_plan
from isda_seg.paper.reproduce.status import duration, run_status, status_text, training_progress
from isda_seg.paper.series.jobs import lock_file, state_file
from isda_seg.paper.series.processes import locked
from isda_seg.runtime.provenance import write_json


@pytest.fixture
def plan(tmp_path):
    table = catalogue()['table7']
    return make_plan('table7', table._replace(rows=table.rows[:2]), tmp_path, tiny.ROOT, (0,))


def write_log(place, *entries):
    path = place / '20260101' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(map(json.dumps, entries)))


def test_state_of_a_run_from_its_files(plan, tmp_path):
    planned = plan.runs[1]
    place = tmp_path / planned.run.name
    assert run_status(planned, tmp_path).state == 'waiting'
    write_log(place, dict(loss=2.5, step=100, time=0.5), dict(mIoU=31.25, step=100),
              dict(loss=1.5, step=10_000, time=0.5))
    state_file(place).write_text(json.dumps(dict(state='running')))
    with locked(lock_file(place), ''):
        found = run_status(planned, tmp_path)
        assert (found.state, found.progress, found.loss, found.measure, found.left) == (
            'running', '10000/40000', 1.5, 'mIoU 31.25', 15_000)
    assert (run_status(planned, tmp_path).state, run_status(planned, tmp_path).left) == ('interrupted', None)
    state_file(place).write_text(json.dumps(dict(state='failed', error='train.py failed with code 1')))
    assert run_status(planned, tmp_path).error == 'train.py failed with code 1'
    text = status_text(plan, lambda: 0.0)
    assert "2 runs, 1 waiting, 1 failed, at" in text
    assert f'| {planned.run.name} | failed | 10000/40000 | 1.5000 | mIoU 31.25 |  |' in text
    assert f'Its log: {place}/log.txt\ntrain.py failed with code 1' in text
    (place / 'results.json').write_text('{"protocols": {"single": {}, "ms": {}, "ms-flip": {}}}')
    assert run_status(planned, tmp_path).state == 'done'
    (place / 'results.json').write_text('{"protocols": {}, "diverged": {"iteration": 7}}')
    assert run_status(planned, tmp_path).state == 'diverged'


def test_progress_by_epochs(tmp_path):
    cfg = Config(dict(train_cfg=dict(max_epochs=10)))
    write_log(tmp_path, dict(loss=3.0, epoch=1, step=50, time=0.1), dict(top1_error=60.0, step=1),
              dict(loss=2.0, epoch=3, step=250, time=0.1))
    assert training_progress(cfg, tmp_path) == ('epoch 3/10', 2.0, 'error 60.00', pytest.approx(75.0))


def test_durations_have_a_unit():
    assert [duration(seconds) for seconds in (600, 7200, 259_200)] == ['10 min', '2.0 h', '3.0 days']


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True

    @property
    def last(self):
        return self.getvalue().rpartition(status.CLEAR)[2]


def test_terminal_shows_state_failures_and_last_messages(plan, monkeypatch):
    monkeypatch.setattr(status, 'INTERVAL', 0.01)
    monkeypatch.setattr(shutil, 'get_terminal_size', lambda: os.terminal_size((200, 40)))
    terminal = Terminal()
    with status.StatusScreen(plan, terminal) as shown:
        for number in range(10):
            shown.say(f'message {number}')
        write_json(state_file(plan.folder / plan.runs[0].run.name), dict(state='failed', error='out of memory'))
    assert '2 runs, 1 failed, 1 waiting' in terminal.last and '\nout of memory\n' in terminal.last
    assert [line for line in terminal.last.splitlines() if line.startswith('message')] == [
        f'message {number}' for number in range(10 - status.MESSAGES, 10)]


@pytest.mark.parametrize(('width', 'height'), [(200, 8), (60, 20)])
def test_text_is_cut_to_the_height_of_the_terminal(plan, monkeypatch, width, height):
    monkeypatch.setattr(shutil, 'get_terminal_size', lambda: os.terminal_size((width, height)))
    shown = status.StatusScreen(plan, Terminal())
    write_json(state_file(plan.folder / plan.runs[0].run.name), dict(state='failed', error='line\n' * 30))
    shown.say('last message')
    lines = shown.text().splitlines()
    assert lines[0].startswith('Table 7') and lines[-1] == 'last message'
    assert lines[-2].endswith('more lines: --status')
    assert sum(-(-max(1, len(line)) // width) for line in lines) < height


def test_file_receives_every_message_as_a_line(plan):
    stream = io.StringIO()
    with status.StatusScreen(plan, stream) as shown:
        for number in range(10):
            shown.say(f'message {number}')
    assert stream.getvalue() == ''.join(f'message {number}\n' for number in range(10))
