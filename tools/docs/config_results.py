"""Recorded results by config."""
import ast
from functools import cache
from pathlib import Path
from typing import Any

from isda_seg.compat import read_config
from isda_seg.paper.series.result_files import read_results


def results_by_config(configs: Path) -> dict[str, list[dict[str, Any]]]:
    """Return ``read_results`` of configs/results, where options that equal the values of the config are dropped.

    An arm of a sweep with the config's own strength is therefore a result of the config. If several runs have the same
    seed, the run of the arm without such options is used.
    """
    found = read_results(configs / 'results')
    seeds: dict[str, dict[int, dict[str, Any]]] = {}
    for label, runs in found.items():
        stem, *options = label.split(' ')
        key = ' '.join([stem, *(option for option in options if not _is_in_config(configs, stem, option))])
        by_seed = {run['seed']: run for run in runs}
        known = seeds.get(key, {})
        seeds[key] = known | by_seed if key == label else by_seed | known
    return {label: [runs[seed] for seed in sorted(runs)] for label, runs in seeds.items()}


def of_config(results: dict[str, list[dict[str, Any]]], stem: str) -> tuple[list[dict[str, Any]] | None, str]:
    """Return the runs of a config and the option they were tested with, such as a tau, which changes no training."""
    tested = f'{stem} test.'
    labels = [stem, *(label for label in results if label.startswith(tested) and label.count(' ') == 1)]
    found = next((label for label in labels if label in results), stem)
    return results.get(found), found.removeprefix(stem).strip()


def _is_in_config(configs: Path, stem: str, option: str) -> bool:
    key, _, text = option.partition('=')
    path = next(configs.rglob(f'{stem}.py'), None)
    node: Any = None if path is None else _config(path)
    for name in key.split('.'):
        node = node.get(name) if isinstance(node, dict) else None
    try:
        return bool(node == ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return bool(node == text)


@cache
def _config(path: Path) -> dict[str, Any]:
    cfg: dict[str, Any] = read_config(str(path)).to_dict()
    return cfg
