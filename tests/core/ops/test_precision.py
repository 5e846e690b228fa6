"""Full precision inside, the user's own settings afterwards, whichever way they were made.

Run as a script, this file is one fresh process: python test_precision.py FUNCTION prints what FUNCTION returns.
"""

import importlib
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from isda_seg.core.ops import precision
from isda_seg.core.ops.precision import FullPrecision, Setting, full_precision

needs_levels = pytest.mark.skipif(not hasattr(torch._C, '_get_fp32_precision_getter'),
                                  reason='the settings have levels since torch 2.9')
LEVELS = [('generic', 'all'), ('cuda', 'all'), ('cuda', 'matmul'), ('mkldnn', 'all'), ('mkldnn', 'matmul')]
UNSET = ('none',) * len(LEVELS)
VALUES = {'generic': ('none', 'ieee', 'tf32', 'bf16'), 'cuda': ('none', 'ieee', 'tf32'),
          'mkldnn': ('none', 'ieee', 'tf32', 'bf16')}
FULL = {'ieee', 'none'}  # 'none': neither the level nor a parent was ever lowered
WAYS = [
    'pass',
    "torch.set_float32_matmul_precision('highest')",
    "torch.set_float32_matmul_precision('high')",
    "torch.set_float32_matmul_precision('medium')",
    'torch.backends.cuda.matmul.allow_tf32 = True',
    "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
    "torch.backends.cudnn.fp32_precision = 'tf32'",
    "torch.backends.mkldnn.matmul.fp32_precision = 'bf16'",
    "torch.backends.mkldnn.fp32_precision = 'bf16'",
    "torch.backends.mkldnn.set_flags(_fp32_precision='bf16')",
    "torch.backends.fp32_precision = 'tf32'",
    "torch.backends.fp32_precision = 'bf16'",
    "torch.backends.fp32_precision = torch.backends.cuda.matmul.fp32_precision = 'tf32'",
    "torch.backends.fp32_precision = torch.backends.cudnn.fp32_precision = 'tf32'",
    "torch.backends.fp32_precision, torch.backends.cuda.matmul.fp32_precision = 'tf32', 'ieee'",
]
CHANGES = ['pass', *(f'torch.backends.fp32_precision = {value!r}' for value in VALUES['generic']),
           *(f'torch.backends.cudnn.fp32_precision = {value!r}' for value in VALUES['cuda']),
           *(f'torch.backends.mkldnn.set_flags(_fp32_precision={value!r})' for value in VALUES['mkldnn'])]
QUESTIONS = ['torch.backends.fp32_precision', 'torch.backends.cudnn.fp32_precision',
             'torch.backends.mkldnn.fp32_precision', 'torch.backends.cuda.matmul.fp32_precision',
             'torch.backends.mkldnn.matmul.fp32_precision', 'torch.backends.cudnn.conv.fp32_precision',
             'torch.backends.mkldnn.conv.fp32_precision', 'torch.get_float32_matmul_precision()',
             'torch.backends.cuda.matmul.allow_tf32']


def read():
    return tuple(torch._C._get_fp32_precision_getter(*level) for level in LEVELS)


def write(values):
    for level, value in zip(LEVELS, values, strict=True):
        torch._C._set_fp32_precision_setter(*level, value)


def own():
    """What each level itself is set to, 'none' where it follows its parent; all levels are 'none' afterwards."""
    values = []
    for level in LEVELS:  # a level whose parents are 'none' reads as itself
        values.append(torch._C._get_fp32_precision_getter(*level))
        if level[1] == 'all':
            torch._C._set_fp32_precision_setter(*level, 'none')
    write(UNSET)
    return tuple(values)


def answer(question):
    """torch raises errors when its old and new settings are mixed."""
    try:
        return eval(question)
    except RuntimeError:
        return 'refused'


def answers(way, change, use):
    """The settings after a change, optionally a use of full_precision, and another change."""
    torch.set_float32_matmul_precision('highest')  # torch keeps this setting separately
    write(UNSET)
    exec(way)
    use()
    exec(change)
    return [answer(question) for question in QUESTIONS]


def enter_and_leave():
    with full_precision('cpu'):
        pass


def inside(way):
    torch.set_float32_matmul_precision('highest')
    write(UNSET)
    exec(way)
    with full_precision('cpu'):
        return read()


def every_way():
    return {way: [inside(way), *([answers(way, change, use) for change in CHANGES]
                                 for use in (enter_and_leave, lambda: None))] for way in WAYS}


def every_combination():
    """The combinations that full_precision does not raise, and those it does not restore."""
    weak, changed = [], []
    for values in itertools.product(*(VALUES[backend] for backend, _ in LEVELS)):
        write(values)
        with full_precision('cpu'):
            weak += [] if set(read()) <= FULL else [values]
        changed += [] if own() == values else [values]
    return weak, changed


def leaving_in_the_order_of_entering():
    """The levels while both threads are inside, while the second is, and after it."""
    entered, left, seen = threading.Event(), threading.Event(), []

    def second():
        with full_precision('cpu'):
            seen.append(read())
            entered.set()
            left.wait(60)
            seen.append(read())

    write(('tf32', 'none', 'none', 'none', 'bf16'))
    thread = threading.Thread(target=second)
    with full_precision('cpu'):
        thread.start()
        entered.wait(60)
    left.set()
    thread.join(60)
    return [*seen, own()]


def exception_leaves():
    write(('tf32', 'none', 'none', 'none', 'bf16'))
    try:
        with full_precision('cpu'):
            raise ArithmeticError
    except ArithmeticError:
        return own()


def inner_leaves():
    """The levels in the outer block after an inner one has ended, and after the outer one."""
    write(('bf16', 'none', 'tf32', 'none', 'none'))
    with full_precision('cpu'):
        enter_and_leave()
        outer = read()
    return outer, own()


def before_torch_2_9():
    """Each old setting, what it is inside and afterwards, with the levels taken away from torch."""
    del torch._C._get_fp32_precision_getter, torch._C._set_fp32_precision_setter
    importlib.reload(precision)
    rows = []
    for setting in ('highest', 'high', 'medium'):
        torch.set_float32_matmul_precision(setting)
        with precision.full_precision('cpu'):
            within = torch.get_float32_matmul_precision()
        rows.append([setting, within, torch.get_float32_matmul_precision()])
    return rows


def fresh(function):
    """The result of a function of this file in a separate process."""
    done = subprocess.run([sys.executable, __file__, function.__name__], capture_output=True, text=True,
                          cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope='module')
def ways():
    return fresh(every_way)


@needs_levels
@pytest.mark.parametrize('way', WAYS)
def test_every_lowered_precision_setting_is_raised(ways, way):
    within, _, _ = ways[way]
    assert set(within) <= FULL


@needs_levels
@pytest.mark.parametrize('way', WAYS)
def test_precision_settings_behave_afterwards_as_if_never_changed(ways, way):
    _, used, untouched = ways[way]
    assert dict(zip(CHANGES, used, strict=True)) == dict(zip(CHANGES, untouched, strict=True))


@needs_levels
def test_inherited_and_written_values_are_distinguished(ways):
    inherited = ways["torch.backends.fp32_precision = 'tf32'"][2]
    written = ways["torch.backends.fp32_precision = torch.backends.cuda.matmul.fp32_precision = 'tf32'"][2]
    assert inherited != written and inherited[0] == written[0]


@needs_levels
def test_every_combination_of_levels_is_raised_and_restored():
    weak, changed = fresh(every_combination)
    assert (weak, changed) == ([], [])


@needs_levels
def test_the_precision_is_full_until_the_last_thread_leaves():
    both, alone, after = fresh(leaving_in_the_order_of_entering)
    assert {*both, *alone} <= FULL
    assert after == ['tf32', 'none', 'none', 'none', 'bf16']


def test_threads_in_any_order_have_full_precision_and_restore_it():
    chance, seen, value = random.Random(0), set(), ['tf32']

    def slowly_read():
        time.sleep(chance.random() / 1000)
        return value[0]

    def slowly_write(new):
        time.sleep(chance.random() / 1000)
        value[0] = new

    def come_and_go():
        for _ in range(30):
            process.enter()
            time.sleep(chance.random() / 1000)
            seen.add(value[0])
            process.leave()
            time.sleep(chance.random() / 200)

    process = FullPrecision([Setting(slowly_read, slowly_write, ('ieee', 'none'))])
    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (seen, value) == ({'ieee'}, ['tf32'])


@needs_levels
def test_an_exception_restores_the_settings():
    assert fresh(exception_leaves) == ['tf32', 'none', 'none', 'none', 'bf16']


@needs_levels
def test_a_nested_context_keeps_full_precision():
    outer, after = fresh(inner_leaves)
    assert set(outer) <= FULL
    assert after == ['bf16', 'none', 'tf32', 'none', 'none']


def test_only_the_first_and_last_thread_write_lowered_settings():
    written = []
    lowered = Setting(lambda: 'tf32', lambda value: written.append(('lowered', value)), ('ieee', 'none'))
    unset = Setting(lambda: 'none', lambda value: written.append(('unset', value)), ('ieee', 'none'))
    process = FullPrecision([unset, lowered])
    process.enter()
    first = list(written)
    process.enter()
    process.leave()
    between = list(written)
    process.leave()
    assert first == between == [('lowered', 'ieee')]
    assert written == [('lowered', 'ieee'), ('lowered', 'tf32')]


@needs_levels
def test_before_torch_2_9_the_single_setting_is_raised_and_restored():
    assert fresh(before_torch_2_9) == [[setting, 'highest', setting] for setting in ('highest', 'high', 'medium')]


def test_autocast_is_disabled_inside_and_enabled_afterwards():
    factors = torch.ones(2, 2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        with full_precision('cpu'):
            within = (factors @ factors).dtype
        after = (factors @ factors).dtype
    assert (within, after) == (torch.float32, torch.bfloat16)


if __name__ == '__main__':
    print(json.dumps(globals()[sys.argv[1]]()))
