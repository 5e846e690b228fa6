"""The table of classification results: test error of every config that has been run, in per cent."""
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isda_seg.analysis.tables import series
from isda_seg.analysis.tables.rows import NOT_RUN, average, origin, runs_sentence, seeds

HEADER = ('| config | seeds | top-1 error | mean of the last epochs | top-5 error | trained at commit | hardware '
          '| date |\n|---|---|---|---|---|---|---|---|')
COLUMNS = {'top-1 error': 'top1_error', 'mean of the last epochs': 'top1_error_last', 'top-5 error': 'top5_error'}


def key_of(path: str | Path) -> str:
    """Folder and stem of a config: names repeat from one dataset to the next."""
    return f'{Path(path).parent.name}/{Path(path).stem}'


def read_results(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Results of ``tools/test.py --out`` by ``key_of`` their config, one or, from a series, one per seed."""
    found = {key_of(result['config']): [result] for path in sorted(folder.glob('*.json'))
             if 'protocols' in (result := json.loads(path.read_text()))}
    for entry in series.read_series(folder / 'series').values():
        if entry['kind'] == 'paired' and not entry['options']:
            for path in (entry['plain'], *entry['isda']):
                runs = entry['runs'][Path(path).stem]
                found[key_of(path)] = [runs[seed] for seed in sorted(runs, key=int)]
    return found


def error(results: Sequence[dict[str, Any]], name: str) -> str:
    """A metric over the runs, found by the beginning of its name; '' where it was not measured."""
    metrics = [result['protocols']['single'] for result in results]
    exact = name in metrics[0]
    return average([value for run in metrics for key, value in run.items()
                    if (key == name if exact else key.startswith(name))])


def table(configs: list[Path], results: dict[str, list[dict[str, Any]]]) -> str:
    """One row per config; 'not yet run' where there is no result."""
    rows = [HEADER]
    for config in configs:
        found = results.get(key_of(config))
        cells = [f'[{key_of(config)}]({config.parent.parent.name}/{key_of(config)}.py)']
        cells += [NOT_RUN, *[''] * 6] if found is None else [
            seeds(found), *(error(found, name) for name in COLUMNS.values()), *origin(found)]
        rows.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(rows)


def docstring_line(results: Sequence[dict[str, Any]] | None) -> str:
    """What a config's docstring says about its result."""
    if not results:
        return NOT_RUN
    errors = ', '.join(f'{error(results, name)} % {title}' for title, name in COLUMNS.items() if error(results, name))
    return f'{errors} ({runs_sentence(results)})'
