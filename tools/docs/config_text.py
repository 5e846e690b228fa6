"""Text of generated configs: docstring, keys, and the table rows that are a config with options."""
from collections.abc import Sequence
from typing import Any, NamedTuple

from isda_seg.paper.tables import LABELS, TABLE_6, TABLE_8, TABLE_8_ROWS

SUBSET, CAMVID = 'resnet32_isda_cifar10-subset', 'pspnet_mobilenetv2-d16_isda_1xb4-1k_camvid64-208x176'


def config_name(what: str, folder: str, isda: bool = False) -> str:
    """Return the unique name of a config: network or method, ISDA, dataset."""
    return f'{what}{"_isda" if isda else ""}_{folder.replace("_", "-")}'


def config_docstring(title: str, command: str, twin: str, paper: str | None, note: str = '',
                     rows: Sequence[str] = ()) -> str:
    """Return the docstring of a config with the placeholder ``RESULT``.

    Args:
        title: one line.
        command: training command.
        twin: line that names the config to compare with.
        paper: the paper's number with its unit, or None.
        note: additional paragraph.
        rows: lines of ``option_lines``.
    """
    paper = '' if paper is None else f'Paper:     {paper}\n'
    others = ''.join(f'{line}\n' for line in rows)
    return f'"""{title}.\n{note}\nRun:       {command}\n{twin}\n{paper}{others}Result:    RESULT\n"""\n'


def option_lines(table: str, rows: Sequence[tuple[str, str | None]]) -> list[str]:
    """Return the docstring lines of the table rows that are this config with options.

    Args:
        rows: pairs of options and the paper's number with its unit, or None.
    """
    if not rows:
        return []
    wide = max(len(options) for options, _ in rows)
    return [f'{table}:   the other rows, by --cfg-options',
            *(f'           {options:{wide}}  {paper or ""}'.rstrip() for options, paper in rows)]


def isda_twin(base: str, keys: dict[str, Any], model: dict[str, Any] | None = None) -> str:
    """Return the body of the ISDA config for ``base``: the hook with these keys, and changed keys of the model."""
    hook = code(dict(isda=dict(type='isda_seg.hooks.ISDAHook', **keys)))
    more = '' if model is None else f'model = {code(model)}\n'
    return f"_base_ = './{base}.py'\n{more}default_hooks = {hook}\n"


def baseline(name: str) -> str:
    """Return the line that names the baseline config."""
    return f'Baseline:  {name}.py; same seed, only the keys below differ'


def code(value: Any) -> str:
    """Format a value as Python source."""
    if isinstance(value, dict):
        return f'dict({", ".join(f"{key}={code(child)}" for key, child in value.items())})'
    return repr(value)


class OptionRow(NamedTuple):
    """Table row of a config with options."""
    table: str
    options: str         # in the format of --cfg-options
    error: float | None  # the paper's, in per cent


def option_rows() -> dict[str, list[OptionRow]]:
    """Return the rows with options by the stem of their config."""
    found: dict[str, list[OptionRow]] = {SUBSET: [], CAMVID: []}
    for change, errors in TABLE_8:
        for (folder, network), error in zip(TABLE_8_ROWS, errors, strict=True):
            row = OptionRow('Table 8', table_8_options(change), error)
            found.setdefault(config_name(network, folder, isda=True), []).append(row)
        found[SUBSET].append(OptionRow('Table 8', table_8_options(change), None))
        if change != 'diagonal':  # the default of segmentation configs
            found[CAMVID].append(OptionRow('Table 8', table_8_options(change), None))
    for method, datasets in TABLE_6.items():
        for folder, cells in datasets.items():
            for labels, pair in zip(LABELS[folder][1:], cells[1:], strict=True):
                for isda, error in zip((False, True), pair, strict=True):
                    row = OptionRow('Table 6', f'train_dataloader.dataset.num_labels={labels}', error)
                    found.setdefault(config_name(method, folder, isda), []).append(row)
    return found


def table_8_options(change: str) -> str:
    """Return the option that turns ISDA into a row of Table 8."""
    return f'default_hooks.isda.{"ramp" if change == "constant" else "covariance"}={change}'
