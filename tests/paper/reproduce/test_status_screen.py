"""A terminal shows the state of all runs while they go on; a file receives the messages as lines."""
import io
import os
import shutil

import pytest
from helpers import tiny

from isda_seg.paper.reproduce import status_screen
from isda_seg.paper.reproduce.catalogue import catalogue
from isda_seg.paper.reproduce.plan import make_plan
from isda_seg.paper.series.jobs import state_file
from isda_seg.runtime.provenance import write_json


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True

    @property
    def last(self):
        return self.getvalue().rpartition(status_screen.CLEAR)[2]


@pytest.fixture
def plan(tmp_path):
    table = catalogue()['table7']
    return make_plan('table7', table._replace(rows=table.rows[:2]), tmp_path, tiny.ROOT, (0,))


def test_terminal_shows_state_failures_and_last_messages(plan, monkeypatch):
    monkeypatch.setattr(status_screen, 'INTERVAL', 0.01)
    monkeypatch.setattr(shutil, 'get_terminal_size', lambda: os.terminal_size((200, 40)))
    terminal = Terminal()
    with status_screen.StatusScreen(plan, terminal) as shown:
        for number in range(10):
            shown.say(f'message {number}')
        write_json(state_file(plan.folder / plan.runs[0].run.name), dict(state='failed', error='out of memory'))
    assert '2 runs, 1 failed, 1 waiting' in terminal.last and '\nout of memory\n' in terminal.last
    assert [line for line in terminal.last.splitlines() if line.startswith('message')] == [
        f'message {number}' for number in range(10 - status_screen.MESSAGES, 10)]


@pytest.mark.parametrize(('width', 'height'), [(200, 8), (60, 20)])
def test_text_is_cut_to_the_height_of_the_terminal(plan, monkeypatch, width, height):
    monkeypatch.setattr(shutil, 'get_terminal_size', lambda: os.terminal_size((width, height)))
    shown = status_screen.StatusScreen(plan, Terminal())
    write_json(state_file(plan.folder / plan.runs[0].run.name), dict(state='failed', error='line\n' * 30))
    shown.say('last message')
    lines = shown.text().splitlines()
    assert lines[0].startswith('Table 7') and lines[-1] == 'last message'
    assert lines[-2].endswith('more lines: --status')
    assert sum(-(-max(1, len(line)) // width) for line in lines) < height


def test_file_receives_every_message_as_a_line(plan):
    stream = io.StringIO()
    with status_screen.StatusScreen(plan, stream) as shown:
        for number in range(10):
            shown.say(f'message {number}')
    assert stream.getvalue() == ''.join(f'message {number}\n' for number in range(10))
