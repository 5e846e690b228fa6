"""A user reads one sentence; who mends the code reads the traceback."""
import sys

import pytest

from isda_seg.runtime.user_errors import run_main


def told(monkeypatch, error, *arguments, **kwargs):
    """What the process says at its end, and the arguments that the tool saw."""
    monkeypatch.setattr(sys, 'argv', ['tool.py', *arguments])
    seen = []

    def main():
        seen.extend(sys.argv[1:])
        raise error

    with pytest.raises(SystemExit) as end:
        run_main(main, **kwargs)
    return end.value.code, seen


def test_wrong_input_is_one_sentence_and_code_1(monkeypatch):
    code, seen = told(monkeypatch, FileNotFoundError('the config x.py does not exist'), 'x.py')
    assert code == 'the config x.py does not exist\n(rerun with --debug for a traceback)'  # a text ends with code 1
    assert seen == ['x.py']


@pytest.mark.parametrize('code', [None, 0, 1, 3])
def test_a_tools_own_code_is_that_of_its_process(monkeypatch, code):
    monkeypatch.setattr(sys, 'argv', ['tool.py'])
    with pytest.raises(SystemExit) as end:
        run_main(lambda: code)
    assert end.value.code == code


def test_what_torch_says_of_one_value_gets_its_remedy(monkeypatch):
    error = ValueError('Expected more than 1 value per channel when training, got input size [1, 128, 1, 1]')
    assert 'Set train_dataloader.batch_size=2 or more' in told(monkeypatch, error)[0]


def test_debug_shows_where_it_was_raised_and_no_tool_has_to_know_it(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tool.py', '--debug', 'x.py'])
    with pytest.raises(ValueError, match=r"\['x.py'\]"):
        run_main(lambda: exec('raise ValueError(sys.argv[1:])', dict(sys=sys)))


def test_a_fault_of_the_code_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tool.py'])
    with pytest.raises(ZeroDivisionError) as error:
        run_main(lambda: 1 / 0)
    assert error.traceback[-1].name == '<lambda>'


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    assert told(monkeypatch, KeyboardInterrupt(), stopped='stopped; go on so')[0] == 'stopped; go on so'
