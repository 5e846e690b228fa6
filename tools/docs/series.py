"""The recorded series: the sections of configs/results/README.md."""
import json
from pathlib import Path
from typing import Any

from docs.section import fold
from isda_seg.paper.series.measure_names import row_name
from isda_seg.paper.series.paired_report import commits, interval, paired_table
from isda_seg.paper.series.result_files import RENAMED, read_series
from isda_seg.paper.series.sweep_report import seeds_of, sweep_table

PLAN = 'plan.json'
# By how their names end.
FIGURES = dict(curves='while training goes on', time='gain and time over the draws', tau='over the logit adjustment')


def read_plan(folder: Path) -> list[dict[str, Any]]:
    """The series that were planned, in order: name, title, the question, the command without ``--out``.

    Where they are given: what was learned; ``task`` and ``setting``, the row of the front page, which series of the
    same two configs share; ``arm``, the one that stands for the series; ``choice``, true where a setting was chosen by
    it; ``underfitted``, true where the networks had not fitted their training images.
    """
    path = folder / PLAN
    return json.loads(path.read_text()) if path.is_file() else []


def sections(folder: Path, link: str) -> str:
    """An overview, every recorded series in the plan's order, and one sentence that holds the planned ones.

    Args:
        link: of ``folder``, relative to configs/results, where the text with the sections lies.
    """
    series, plans = read_series(folder), read_plan(folder)
    recorded = [plan for plan in plans if plan['name'] in series]
    fitted = [plan for plan in recorded if not plan.get('underfitted')]
    planned = [plan for plan in plans if plan['name'] not in series]
    return '\n\n'.join(filter(None, [
        overview(series, fitted), *(recorded_series(plan, series[plan['name']], folder, link) for plan in fitted),
        underfitted(series, [plan for plan in recorded if plan.get('underfitted')]), not_run(planned, link)]))


def underfitted(series: dict[str, dict[str, Any]], plans: list[dict[str, Any]]) -> str:
    """One sentence, and the folded differences of series that can show nothing; '' where there is none."""
    rows = overview(series, plans)
    return fold(f'{len(plans)} earlier series are of networks that had not fitted their training images: there a '
                'regulariser has nothing to take away.', rows) if rows else ''


def recorded_series(plan: dict[str, Any], entry: dict[str, Any], folder: Path, link: str) -> str:
    """Title, question, command, tables, what was learned, and the figures that are there."""
    name, title = plan['name'], plan['title']
    blocks = [f'### {title}', plan['question'], command(plan, link), *renamed(entry),
              paired_table(entry) if entry['kind'] == 'paired' else sweep_section(entry),
              *([plan['learned']] if 'learned' in plan else []), f'![{title}]({link}/{name}.png)']
    blocks += [f'![{title}: {what}]({link}/{name}_{suffix}.png)' for suffix, what in FIGURES.items()
               if (folder / f'{name}_{suffix}.png').is_file()]
    return '\n\n'.join(blocks)


def renamed(entry: dict[str, Any]) -> list[str]:
    """A sentence where the commits of a record know an option under another name; else nothing."""
    then = [f'`{now}` is spelled `{before}`' for now, before in entry.get(RENAMED, {}).items()]
    return [f'At commit {", ".join(commits(entry))}, where these runs were trained, {" and ".join(then)}.'] if then \
        else []


def not_run(plans: list[dict[str, Any]], link: str) -> str:
    """One sentence, and the folded commands of the series that are planned; '' where there is none."""
    if not plans:
        return ''
    count = 'One series is' if len(plans) == 1 else f'{len(plans)} series are'
    return fold(f'{count} planned and not run yet.', '\n\n'.join(
        f'{plan["title"]}. {plan["question"]}\n\n{command(plan, link)}' for plan in plans))


def command(plan: dict[str, Any], link: str) -> str:
    """What runs a series, as a block."""
    return f'```bash\n{plan["command"]} --out configs/results/{link}/{plan["name"]}.json\n```'


def overview(series: dict[str, dict[str, Any]], plans: list[dict[str, Any]]) -> str:
    """A row per arm of recorded paired series: its first measure with and without, and the difference."""
    rows = ['| series | arm | measure | pairs | baseline | arm | difference | 95 % (paired t) |',
            '|---|---|---|---|---|---|---|---|']
    for plan in plans:
        entry = series.get(plan['name'], {})
        for arm, comparison in entry.get('comparisons', {}).items():
            if not comparison['measures']:  # runs of every pair diverged
                continue
            measure, values = next(iter(comparison['measures'].items()))
            cells = [plan['title'], f'`{arm}`', row_name(measure), str(len(values['by_seed'])),
                     f'{values["baseline"]:.2f}', f'{values["arm"]:.2f}', f'{values["mean"]:+.2f}',
                     interval(values['t'])]
            rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows) if rows[2:] else ''


def sweep_section(sweep: dict[str, Any]) -> str:
    """The table of a sweep and how it was run."""
    runs = [run for result in sweep['runs'].values() for run in result['training']]
    measure = sweep.get('measure', 'mIoU')
    what = 'mIoU in per cent on the last' if measure == 'mIoU' else f'{measure} in per cent, lower is better, on'
    return (f'{sweep_table(sweep)}\n\n{what} {100 * sweep["held_out"]:.0f} % of the labelled training '
            f'images, trained on {sweep["images"]} of the others, {seeds_of(sweep)}, trained at commit '
            f'{", ".join(sorted({run["commit"] for run in runs}))}, {runs[-1]["hardware"]}.')
