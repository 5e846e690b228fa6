"""What the recorded series say: sections of configs/README.md, sentences of README.md, runs by config."""
import json
from pathlib import Path
from typing import Any

from isda_seg.analysis.series.measure_names import row_name
from isda_seg.analysis.series.paired_report import interval, paired_table, sentence
from isda_seg.analysis.series.sweep import sweep_table
from isda_seg.analysis.tables.rows import NOT_RUN

PLAN = 'plan.json'


def read_plan(folder: Path) -> list[dict[str, str]]:
    """The series that were planned, in order: name, title, the question, the command without ``--out``."""
    path = folder / PLAN
    return json.loads(path.read_text()) if path.is_file() else []


def read_series(folder: Path) -> dict[str, dict[str, Any]]:
    """Recorded series by name: result files of paired.py and sweep.py."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob('*.json')) if path.name != PLAN}


def paired_runs(series: dict[str, dict[str, Any]]) -> dict[str, dict[int, dict[str, Any]]]:
    """config stem -> seed -> result of tools/test.py, over all paired series that changed no option."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for entry in series.values():
        if entry['kind'] == 'paired' and not entry['options']:
            for stem, runs in entry['runs'].items():
                found.setdefault(stem, {}).update({int(seed): result for seed, result in runs.items()})
    return found


def sections(folder: Path, link: str) -> str:
    """An overview, then every planned series: title, question, command, and its tables and figure or 'not yet run'.

    Args:
        link: of ``folder``, relative to the text that gets the sections.
    """
    series = read_series(folder)
    blocks = [overview(folder)]
    for plan in read_plan(folder):
        out = f'{link}/{plan["name"]}'
        blocks.append(f'### {plan["title"]}\n\n{plan["question"]}\n\n```bash\n{plan["command"]} '
                      f'--out configs/{out}.json\n```')
        entry = series.get(plan['name'])
        if entry is None:
            blocks.append(NOT_RUN)
            continue
        blocks.append(paired_table(entry) if entry['kind'] == 'paired' else sweep_section(entry))
        blocks += [*([plan['learned']] if 'learned' in plan else []), f'![{plan["title"]}]({out}.png)']
        if (folder / f'{plan["name"]}_curves.png').is_file():
            blocks.append(f'![{plan["title"]}: error over the epochs of one pair]({out}_curves.png)')
    return '\n\n'.join(blocks)


def overview(folder: Path) -> str:
    """A row per arm of every recorded paired series: its first measure with and without, and the difference."""
    series = read_series(folder)
    rows = ['| series | arm | measure | pairs | baseline | arm | difference | 95 % (paired t) |',
            '|---|---|---|---|---|---|---|---|']
    for plan in read_plan(folder):
        entry = series.get(plan['name'], {})
        for arm, comparison in entry.get('comparisons', {}).items():
            measure, values = next(iter(comparison['measures'].items()))
            cells = [plan['title'], f'`{arm}`', row_name(measure), str(len(values['by_seed'])),
                     f'{values["baseline"]:.2f}', f'{values["arm"]:.2f}', f'{values["mean"]:+.2f}',
                     interval(values['t'])]
            rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows)


def sweep_section(sweep: dict[str, Any]) -> str:
    """The table of a sweep and how it was run."""
    runs = [run for result in sweep['runs'].values() for run in result['training']]
    measure = sweep.get('measure', 'mIoU')
    what = 'mIoU in per cent on the last' if measure == 'mIoU' else f'{measure} in per cent, lower is better, on'
    return (f'{sweep_table(sweep)}\n\n{what} {100 * sweep["held_out"]:.0f} % of the labelled training '
            f'images, trained on {sweep["images"]} of the others, seed {sweep["seed"]}, trained at commit '
            f'{", ".join(sorted({run["commit"] for run in runs}))}, {runs[-1]["hardware"]}.')


def gain(folder: Path) -> str:
    """A line per recorded paired series: what its first measure did."""
    series, lines = read_series(folder), []
    for plan in read_plan(folder):
        entry = series.get(plan['name'])
        if entry is not None and entry['kind'] == 'paired':
            arm = Path(entry['isda'][0]).stem
            lines.append(f'- {plan["title"]}: {sentence(entry, arm)}.')
    return '\n'.join(lines) or NOT_RUN
