"""Recorded results of tools/test.py and of the series of tools/benchmarks."""
import json
from pathlib import Path
from typing import Any

from isda_seg.runtime.logit_adjustment import KEY

RENAMED = 'renamed_options'  # key in a series: current option name -> name at the time of the run
REPRODUCTION = 'reproduction'  # kind of a result file of tools/reproduce.py
DIVERGED = 'diverged'  # key in the result of a diverged run and in its comparison


def at_tau(result: dict[str, Any], tau: float) -> dict[str, Any]:
    """Return a result of tools/test.py --logit-adjustment with the measures at one tau.

    Means over the last evaluations, ``<measure>_last<n>``, exist only for unadjusted logits.
    """
    protocols = {}
    for name, values in result['protocols'].items():
        adjusted = values[KEY][f'{tau:g}'] if tau else {}
        kept = {key: value for key, value in values.items() if key != KEY and key.partition('_last')[0] not in adjusted}
        protocols[name] = kept | adjusted
    return dict(result, protocols=protocols)


def read_series(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the series of paired.py and sweep.py and the tables of reproduce.py by file name."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob('*.json'))}
    return {name: entry for name, entry in found.items() if 'kind' in entry}


def read_results(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the results in ``folder`` by the stem of their config; paired series contribute one result per seed.

    An arm with options is listed under its label, the stem and the options. Series and reproduced tables with global
    options are not results of the unchanged config and are excluded, like diverged runs.
    """
    found = {Path(result['config']).stem: [result] for path in sorted(folder.glob('*.json'))
             if 'protocols' in (result := json.loads(path.read_text()))}
    seeds: dict[str, dict[int, dict[str, Any]]] = {}
    for entry in read_series(folder / 'series').values():
        if entry['kind'] in ('paired', REPRODUCTION) and not entry['options']:
            for label, runs in entry['runs'].items():
                seeds.setdefault(label, {}).update({int(seed): result for seed, result in runs.items()
                                                    if DIVERGED not in result})
    return found | {label: [runs[seed] for seed in sorted(runs)] for label, runs in seeds.items() if runs}
