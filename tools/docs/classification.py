"""Columns of classification results: test errors in per cent."""
from collections.abc import Sequence
from functools import partial
from typing import Any

from isda_seg.paper.result_tables import NOT_RUN, mean_sd, runs_sentence


def error(results: Sequence[dict[str, Any]], name: str) -> str:
    """Average a metric over the runs, selected by name or prefix; '' if it was not measured."""
    metrics = [result['protocols']['single'] for result in results]
    exact = name in metrics[0]
    return mean_sd([value for run in metrics for key, value in run.items()
                    if (key == name if exact else key.startswith(name))])


COLUMNS = {title: partial(error, name=name) for title, name in {
    'top-1 error': 'top1_error', 'mean of the last epochs': 'top1_error_last', 'top-5 error': 'top5_error'}.items()}


def docstring_line(results: Sequence[dict[str, Any]] | None) -> str:
    """Return the Result line of a config."""
    if not results:
        return NOT_RUN
    errors = ', '.join(f'{cell(results)} % {title}' for title, cell in COLUMNS.items() if cell(results))
    return f'{errors} ({runs_sentence(results)})'
