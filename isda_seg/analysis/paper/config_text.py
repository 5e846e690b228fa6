"""Text of generated configs: the promise in the docstring, the keys that differ."""
from typing import Any


def promise(title: str, command: str, twin: str, paper: str | None, note: str = '') -> str:
    """The docstring of a config; ``RESULT`` stands where its result goes.

    Args:
        title: one line.
        command: that runs it.
        twin: a line that names the config to compare with, its key first.
        paper: the paper's number with its unit; None: there is none.
        note: what else to know, a paragraph of whole lines.
    """
    paper = '' if paper is None else f'Paper:     {paper}\n'
    return f'"""{title}.\n{note}\nRun:       {command}\n{twin}\n{paper}Result:    RESULT\n"""\n'


def isda_twin(base: str, room: str, model: dict[str, Any]) -> str:
    """All that makes the config ``base`` its ISDA twin."""
    return f'''\
_base_ = './{base}.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.{room}'], allow_failed_imports=False)
model = {code(model)}
default_hooks = dict(isda=dict(type='ISDAHook'))
'''


def baseline(stem: str) -> str:
    """The line that names a twin's plain config."""
    return f'Baseline:  {stem}.py; same seed, only the keys below differ'


def code(value: Any) -> str:
    """A value as these configs write it."""
    if isinstance(value, dict):
        return f'dict({", ".join(f"{key}={code(child)}" for key, child in value.items())})'
    return repr(value)
