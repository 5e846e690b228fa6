"""Markdown tables of results, and cells that describe runs: seeds, means over seeds, origin."""
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

NOT_RUN = 'not yet run'


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first row is the header."""
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join([lines[0], '|' + '---|' * len(rows[0]), *lines[1:]])


def seeds(results: Sequence[dict[str, Any]]) -> str:
    """List the seeds of the runs; five or more consecutive seeds become a range such as 10-14."""
    ranges: list[list[int]] = []
    for seed in ((result['training'] or [result])[0]['seed'] for result in results):
        if ranges and None not in (seed, ranges[-1][-1]) and ranges[-1][-1] == seed - 1:
            ranges[-1].append(seed)
        else:
            ranges.append([seed])
    return ', '.join(f'{row[0]}-{row[-1]}' if len(row) > 4 else ', '.join(map(str, row)) for row in ranges)


def mean_sd(values: Sequence[float], places: int = 2) -> str:
    """Format the value of one run, or mean and standard deviation of several; '' for none."""
    if not values:
        return ''
    return f'{fmean(values):.{places}f}' + (f' ± {stdev(values):.{places}f}' if len(values) > 1 else '')


def runs_sentence(results: Sequence[dict[str, Any]]) -> str:
    """Return 'mean ± sd, seeds 0-4', or 'seed 0, one run'."""
    return f'mean ± sd, seeds {seeds(results)}' if len(results) > 1 else f'seed {seeds(results)}, one run'


def origin(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return commits, hardware and date of the training runs."""
    runs = [run for result in results for run in (result['training'] or [result])]
    return [', '.join(dict.fromkeys(run['commit'] for run in runs)), runs[-1]['hardware'], runs[-1]['date'][:10]]
