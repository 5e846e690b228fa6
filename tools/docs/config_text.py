"""Text of generated configs: the promise in the docstring, the keys that differ."""
from collections.abc import Sequence
from typing import Any


def config_name(what: str, folder: str, isda: bool = False) -> str:
    """The name of a config, which no other config has: a network or method, ISDA, the data of its folder."""
    return f'{what}{"_isda" if isda else ""}_{folder.replace("_", "-")}'


def promise(title: str, command: str, twin: str, paper: str | None, note: str = '', rows: Sequence[str] = ()) -> str:
    """The docstring of a config; ``RESULT`` stands where its result goes.

    Args:
        title: one line.
        command: that runs it.
        twin: a line that names the config to compare with, its key first.
        paper: the paper's number with its unit; None: there is none.
        note: what else to know, a paragraph of whole lines.
        rows: lines of ``option_lines``.
    """
    paper = '' if paper is None else f'Paper:     {paper}\n'
    others = ''.join(f'{line}\n' for line in rows)
    return f'"""{title}.\n{note}\nRun:       {command}\n{twin}\n{paper}{others}Result:    RESULT\n"""\n'


def option_lines(table: str, rows: Sequence[tuple[str, str | None]]) -> list[str]:
    """What a promise says of the rows that are its config and options: a line each, with the paper's number.

    Args:
        rows: options, and the paper's number with its unit or None.
    """
    if not rows:
        return []
    wide = max(len(options) for options, _ in rows)
    return [f'{table}:   the other rows, by --cfg-options',
            *(f'           {options:{wide}}  {paper or ""}'.rstrip() for options, paper in rows)]


def isda_twin(base: str, keys: dict[str, Any], model: dict[str, Any] | None = None) -> str:
    """All that makes the config ``base`` its ISDA twin: the hook with these keys, and what else its model needs."""
    hook = code(dict(isda=dict(type='isda_seg.hooks.ISDAHook', **keys)))
    more = '' if model is None else f'model = {code(model)}\n'
    return f"_base_ = './{base}.py'\n{more}default_hooks = {hook}\n"


def baseline(name: str) -> str:
    """The line that names a twin's plain config."""
    return f'Baseline:  {name}.py; same seed, only the keys below differ'


def code(value: Any) -> str:
    """A value as these configs write it."""
    if isinstance(value, dict):
        return f'dict({", ".join(f"{key}={code(child)}" for key, child in value.items())})'
    return repr(value)
