"""The tables of detection: box and mask mAP of every config, in per cent, beside the paper's."""
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isda_seg.analysis.tables.rows import NOT_RUN, average, origin, runs_sentence, seeds

FOLDERS = ('coco', 'coco256')
COLUMNS = {'box mAP': 'bbox_mAP', 'box AP50': 'bbox_mAP_50', 'box AP75': 'bbox_mAP_75', 'mask mAP': 'segm_mAP',
           'mask AP50': 'segm_mAP_50', 'mask AP75': 'segm_mAP_75'}
HEADER = (f'| config | seeds | {" | ".join(COLUMNS)} | paper | backbone | trained at commit | hardware | date |\n'
          f'{"|---" * (7 + len(COLUMNS))}|')
PATH_ONLY = {'coco256': 'shows that the path works and says nothing about a backbone'}  # by folder


def value(results: Sequence[dict[str, Any]], name: str) -> str:
    """A measure over the runs; '' where it was not taken."""
    found = [result['protocols']['single'].get(name) for result in results]
    return '' if None in found else average(found)


def table(configs: list[Path], results: dict[str, list[dict[str, Any]]]) -> str:
    """One row per config; 'not yet run' where there is no result."""
    rows = [HEADER]
    for config in configs:
        found = results.get(config.stem)
        cells = [f'[{config.stem}]({config.parent.name}/{config.name})', NOT_RUN if found is None else seeds(found)]
        cells += [''] * len(COLUMNS) if found is None else [value(found, name) for name in COLUMNS.values()]
        cells += [paper(config.read_text()), *([''] * 4 if found is None else [backbone(found), *origin(found)])]
        rows.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(rows)


def paper(text: str) -> str:
    """What a config's docstring says the paper reports."""
    found = re.search(r'^Paper: +(.*)$', text, re.MULTILINE)
    return found[1] if found else ''


def backbone(results: Sequence[dict[str, Any]]) -> str:
    """The files training started from: name and the beginning of the hash."""
    records = [result.get('backbone') or dict(checkpoint='random') for result in results]
    return ', '.join(dict.fromkeys(
        record['checkpoint'] + (f' ({record["sha256"][:12]})' if 'sha256' in record else '') for record in records))


def docstring_line(results: Sequence[dict[str, Any]] | None, folder: str) -> str:
    """What a config's docstring says about its result; the folder's caveat stands beside the number."""
    if not results:
        return NOT_RUN
    numbers = ', '.join(f'{title} {value(results, COLUMNS[title])}' for title in ('box mAP', 'mask mAP')
                        if value(results, COLUMNS[title]))
    caveat = f'; {PATH_ONLY[folder]}' if folder in PATH_ONLY else ''
    return f'{numbers} ({runs_sentence(results)}){caveat}'


def section(configs: list[Path], results: dict[str, list[dict[str, Any]]], pictures: Path) -> str:
    """The table of a folder's configs, its caveat, and the pictures that are there.

    Args:
        pictures: the folder of the pictures, named like the configs' folder, in configs/results.
    """
    caveat = PATH_ONLY.get(pictures.name)
    parts = [table(configs, results), *([f'Every number of this table {caveat}.'] if caveat else [])]
    parts += [f'![Ground truth and prediction, image {path.stem}](results/{pictures.name}/{path.name})'
              for path in sorted(pictures.glob('*.png'))]
    return '\n\n'.join(parts)
