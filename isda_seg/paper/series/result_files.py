"""The recorded results: files of tools/test.py, and of the series of tools/benchmarks, as one may look them up."""
import json
from pathlib import Path
from typing import Any

from isda_seg.runtime.logit_adjustment import KEY

RENAMED = 'renamed_options'  # key in a series: options of its arms as the tools take them now -> as they were typed
DIVERGED = 'diverged'  # key in the result of a run that did, and in a comparison that leaves its pair out


def at_tau(result: dict[str, Any], tau: float) -> dict[str, Any]:
    """A result of tools/test.py --logit-adjustment with the measures at one tau in the place of the others.

    Means over the last evaluations, ``<measure>_last<n>``, are of plain logits and have none at a tau.
    """
    protocols = {}
    for name, values in result['protocols'].items():
        adjusted = values[KEY][f'{tau:g}'] if tau else {}
        kept = {key: value for key, value in values.items() if key != KEY and key.partition('_last')[0] not in adjusted}
        protocols[name] = kept | adjusted
    return dict(result, protocols=protocols)


def read_series(folder: Path) -> dict[str, dict[str, Any]]:
    """Recorded series by file name: what paired.py and sweep.py wrote."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob('*.json'))}
    return {name: entry for name, entry in found.items() if 'kind' in entry}


def read_results(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Results of tools/test.py by the stem of their config, from files of ``folder``; of a paired series one per seed.

    An arm with options of its own stands under its label, the stem and the options. A series whose options are for all
    arms is no result of the config as it is written, and is left out; so is a run that diverged.
    """
    found = {Path(result['config']).stem: [result] for path in sorted(folder.glob('*.json'))
             if 'protocols' in (result := json.loads(path.read_text()))}
    seeds: dict[str, dict[int, dict[str, Any]]] = {}
    for entry in read_series(folder / 'series').values():
        if entry['kind'] == 'paired' and not entry['options']:
            for label, runs in entry['runs'].items():
                seeds.setdefault(label, {}).update({int(seed): result for seed, result in runs.items()
                                                    if DIVERGED not in result})
    return found | {label: [runs[seed] for seed in sorted(runs)] for label, runs in seeds.items() if runs}
