"""Sections of the recorded series in configs/results/README.md."""
import json
from pathlib import Path
from typing import Any

from docs.section import fold
from isda_seg.paper.result_tables import markdown
from isda_seg.paper.series.measure_names import row_name
from isda_seg.paper.series.paired_report import commits, diverged_sentence, interval, paired_table, side_by_side
from isda_seg.paper.series.result_files import RENAMED, read_series
from isda_seg.paper.series.sweep import seeds_of, sweep_table

PLAN = 'plan.json'
# By suffix of the file name.
FIGURES = dict(curves='during training', time='gain and time over the samples', tau='over the logit adjustment')


def read_plan(folder: Path) -> list[dict[str, Any]]:
    """Read the planned series in order: name, title, question and command without ``--out``.

    Optional entries: ``learned``, the findings; ``task`` and ``setting``, the row of the README table, shared by series
    of the same two configs; ``arm``, the representative arm; ``choice``, true if the series selected a setting;
    ``underfitted``, true if the networks underfit their training images.
    """
    path = folder / PLAN
    return json.loads(path.read_text()) if path.is_file() else []


def require_committed(folder: Path) -> None:
    """Raise ValueError if runs of a recorded series used a source tree that differs from its commit."""
    modified = [path.name for path in sorted(folder.glob('*.json')) if '-dirty"' in path.read_text()]
    if modified:
        raise ValueError(f'{", ".join(modified)}: runs used a modified source tree (their commit ends in -dirty). Run '
                         'them again from a commit')


def sections(folder: Path, link: str) -> str:
    """Return the recorded series in the order of the plan, and folded those of underfitted networks and planned ones.

    Args:
        link: link to ``folder``, relative to configs/results.
    """
    series, plans = read_series(folder), read_plan(folder)
    recorded = [plan for plan in plans if plan['name'] in series]
    fitted = [plan for plan in recorded if not plan.get('underfitted')]
    planned = [plan for plan in plans if plan['name'] not in series]
    return '\n\n'.join(filter(None, [
        *(recorded_series(plan, series[plan['name']], folder, link) for plan in fitted),
        underfitted(series, [plan for plan in recorded if plan.get('underfitted')]), not_run(planned, link)]))


def underfitted(series: dict[str, dict[str, Any]], plans: list[dict[str, Any]]) -> str:
    """Return the folded differences of series with underfitted networks in the main measure, one row per arm, or ''."""
    rows = [['series', 'arm', 'measure', 'pairs', 'baseline', 'arm', 'difference', '95 % (paired t)']]
    for plan in plans:
        for arm, comparison in series[plan['name']].get('comparisons', {}).items():
            if not comparison['measures']:  # runs of every pair diverged
                continue
            measure, values = next(iter(comparison['measures'].items()))
            rows.append([plan['title'], f'`{arm}`', row_name(measure), str(len(values['by_seed'])),
                         f'{values["baseline"]:.2f}', f'{values["arm"]:.2f}', f'{values["mean"]:+.2f}',
                         interval(values['t'])])
    return fold(f'{len(plans)} earlier series use networks that underfit their training images, where a '
                'regulariser cannot help.', markdown(rows)) if rows[1:] else ''


def recorded_series(plan: dict[str, Any], entry: dict[str, Any], folder: Path, link: str) -> str:
    """Return title, question, command, tables, findings and figures of a series."""
    name, title = plan['name'], plan['title']
    blocks = [f'### {title}', plan['question'], command(plan, link), *renamed(entry),
              paired_section(plan, entry) if entry['kind'] == 'paired' else sweep_section(entry),
              *([plan['learned']] if 'learned' in plan else []), f'![{title}]({link}/{name}.png)']
    blocks += [f'![{title}: {what}]({link}/{name}_{suffix}.png)' for suffix, what in FIGURES.items()
               if (folder / f'{name}_{suffix}.png').is_file()]
    return '\n\n'.join(blocks)


def paired_section(plan: dict[str, Any], paired: dict[str, Any]) -> str:
    """Return the tables of a paired series: without classes for a selection, else with those of one arm."""
    if plan.get('choice') and len(paired['comparisons']) > 1:
        excluded = [sentence for arm in paired['comparisons'] if (sentence := diverged_sentence(paired, arm))]
        seeds = f'Seeds {", ".join(map(str, paired["seeds"]))}, trained at commit {", ".join(commits(paired))}.'
        return '\n\n'.join([side_by_side(paired), *excluded, seeds])
    return paired_table(paired, plan.get('arm', next(iter(paired['comparisons']))))


def renamed(entry: dict[str, Any]) -> list[str]:
    """Return a sentence on options that had another name at the commit of the runs, if any."""
    then = [f'`{now}` is spelled `{before}`' for now, before in entry.get(RENAMED, {}).items()]
    return [f'At commit {", ".join(commits(entry))}, where these runs were trained, {" and ".join(then)}.'] if then \
        else []


def not_run(plans: list[dict[str, Any]], link: str) -> str:
    """Return the folded commands of the planned series, or ''."""
    if not plans:
        return ''
    count = 'One series is' if len(plans) == 1 else f'{len(plans)} series are'
    return fold(f'{count} planned and not yet run.', '\n\n'.join(
        f'{plan["title"]}. {plan["question"]}\n\n{command(plan, link)}' for plan in plans))


def command(plan: dict[str, Any], link: str) -> str:
    """Return the command of a series as a code block."""
    return f'```bash\n{plan["command"]} --out configs/results/{link}/{plan["name"]}.json\n```'


def sweep_section(sweep: dict[str, Any]) -> str:
    """Return the table of a sweep and a description of its runs."""
    runs = [run for result in sweep['runs'].values() for run in result['training']]
    measure = sweep.get('measure', 'mIoU')
    what = 'mIoU in per cent on the last' if measure == 'mIoU' else f'{measure} in per cent, lower is better, on'
    return (f'{sweep_table(sweep)}\n\n{what} {100 * sweep["held_out"]:.0f} % of the labelled training '
            f'images, trained on {sweep["images"]} of the others, {seeds_of(sweep)}, trained at commit '
            f'{", ".join(sorted({run["commit"] for run in runs}))}, {runs[-1]["hardware"]}.')
