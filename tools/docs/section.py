"""README section of a folder of configs: a row per result, and a folded list of the configs without one."""
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from docs.columns import Cells, Runs
from docs.generated_text import paper, paper_with_options
from isda_seg.paper.result_tables import origin, seeds

ORIGIN = ('trained at commit', 'hardware', 'date')


def section(configs: Sequence[Path], results: Mapping[str, Runs], cells: Cells, folder: Path) -> str:
    """Return the table of results and the list of configs without results.

    Args:
        results: runs by the stem of their config, or by stem and options.
        cells: functions of the cells, by title.
        folder: folder of the README, for relative links.
    """
    rows, run = results_rows(configs, results, cells, folder), {label.split(' ')[0] for label in results}
    return '\n\n'.join(filter(None, [rows, not_run([path for path in configs if path.stem not in run], folder)]))


def results_rows(configs: Sequence[Path], results: Mapping[str, Runs], cells: Cells, folder: Path) -> str:
    """Return a table with one row per config and set of options with results, or ''.

    Empty columns are omitted.
    """
    rows = []
    for config in configs:
        for label in (label for label in results if label.split(' ')[0] == config.stem):
            runs = results[label]
            row = {'config': f'[{label}]({link(config, folder)})', 'seeds': seeds(runs),
                     **{title: cell(runs) for title, cell in cells.items()}, 'paper': paper(config.read_text()),
                     **dict(zip(ORIGIN, origin(runs), strict=True))}
            rows.append(row)
    titles = [title for title in (rows[0] if rows else ()) if any(row[title] for row in rows)]
    lines = [titles, ['---'] * len(titles), *([row[title] for title in titles] for row in rows)]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines) if rows else ''


def not_run(configs: Sequence[Path], folder: Path) -> str:
    """Return a folded list of the configs with the paper's numbers, or ''."""
    if not configs:
        return ''
    count = 'One config has' if len(configs) == 1 else f'{len(configs)} configs have'
    return fold(f'{count} not been run yet.', '\n'.join(
        f'- [{config.stem}]({link(config, folder)}){papers_numbers(config.read_text())}' for config in configs))


def papers_numbers(text: str) -> str:
    """Return the paper's numbers of a config and of the config with options, or ''."""
    numbers = [*filter(None, [paper(text)]),
               *(f'{number} with `{options}`' for options, number in paper_with_options(text).items())]
    return f': in the paper {", ".join(numbers)}' if numbers else ''


def fold(sentence: str, content: str) -> str:
    """Return a folded block with a summary."""
    return f'<details>\n<summary>{sentence}</summary>\n\n{content}\n\n</details>'


def link(path: Path, folder: Path) -> str:
    """Return a path relative to ``folder``."""
    return Path(os.path.relpath(path, folder)).as_posix()
