"""Fig. 9 for a config: training with the hook, and the gap over strengths and classes of the trained model."""
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process

from isda_seg.core.schedule import check_strength
from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.paper.result_tables import markdown
from isda_seg.paper.series.run_options import with_options
from isda_seg.paper.tightness.figure import draw_tightness
from isda_seg.paper.tightness.growth import over_classes, over_strengths
from isda_seg.paper.tightness.hook import TightnessHook, read_points
from isda_seg.run import build_runner
from isda_seg.runtime.provenance import provenance, write_json

Run = dict[str, list[dict[str, Any]]]        # part of the result -> entries
Means = dict[str, dict[str, dict[str, float]]]  # head -> measure -> 'mean', 'sd'
SHARES = (0.125, 0.25, 0.5, 1, 2, 4)  # of lambda_0, for the trained model
MEASURES = ('cross_entropy', 'expected', 'bound', 'gap_ratio')


def analyse_tightness(cfg: Config, config: str, cfg_options: dict[str, Any] | None, seeds: Sequence[int] | None,
                      options: dict[str, Any], strengths: Sequence[float] | None, resume: bool, out: Path) -> None:
    """Train, measure, write the result file with a figure next to it, and print the table of ``final_table``.

    Without ``seeds``, the seed of the config, or 0, is used. ``cfg_options`` have been merged into the config; the
    other arguments are those of ``train_and_measure``.
    """
    seeds = seeds or [(cfg.get('randomness') or {}).get('seed') or 0]
    runs = train_and_measure(cfg, seeds, options, strengths, resume)
    result = dict(kind='tightness', config=os.path.relpath(config), options=cfg_options or {}, seeds=seeds, **options,
                  final=final_means(runs), runs=runs, **provenance(seeds[0]))
    if is_main_process():
        write_json(out, result)
        draw_tightness(result, out.with_suffix('.png'))
        print(final_table(result['final']))
        print(f'wrote {out} and {out.with_suffix(".png")}')


def train_and_measure(cfg: Config, seeds: Sequence[int], options: dict[str, Any], strengths: Sequence[float] | None,
                      resume: bool) -> dict[str, Run]:
    """Train sequentially once per seed, in ``seed_<n>`` below the work directory.

    ``options`` are the arguments of ``TightnessHook``. The ``strengths`` for the trained model are by default lambda_0
    / 8 to 4 lambda_0 of each head.

    Returns:
        seed -> ``points`` over training, and for the trained model ``strengths`` and, at lambda_0, ``classes``: lists
        of the values of ``summary`` with their ``head`` and setting.

    Raises:
        ValueError: invalid arguments; a config without ISDA or with lambda_0 = 0.
    """
    TightnessHook(**options)  # validates the arguments before reading data
    for strength in strengths or ():
        check_strength(strength, 'a value of --strengths')
    return {str(seed): _run(_with_hook(cfg, seed, options), strengths, resume) for seed in seeds}


def _with_hook(cfg: Config, seed: int, options: dict[str, Any]) -> Config:
    cfg = with_options(cfg, seed)
    cfg.work_dir = str(Path(cfg.work_dir, f'seed_{seed}'))
    cfg.experiment_name = f'{Path(cfg.filename).stem}_seed_{seed}'
    if cfg.get('visualizer'):
        cfg.visualizer.name = cfg.experiment_name  # otherwise all seeds would share the first visualizer
    hooks = [hook for hook in cfg.get('custom_hooks') or [] if type_name(hook) != TightnessHook.__name__]
    cfg.custom_hooks = [*hooks, dict(type=f'{TightnessHook.__module__}.{TightnessHook.__name__}', **options)]
    return cfg


def _run(cfg: Config, strengths: Sequence[float] | None, resume: bool) -> Run:
    runner = build_runner(cfg, resume='latest' if resume else None, quiet=True)
    runner.train()
    hook = next(hook for hook in runner.hooks if isinstance(hook, TightnessHook))
    found: Run = dict(points=read_points(cfg.work_dir), strengths=[], classes=[])
    for samples in hook.samples_of(runner):
        values = [share * samples.lambda_0 for share in SHARES] if strengths is None else strengths
        found['strengths'] += over_strengths(samples, values, hook.samples, hook.seed)
        found['classes'] += over_classes(samples, samples.lambda_0, hook.samples, hook.seed)
    return found


def final_means(runs: dict[str, Run]) -> Means:
    """Return head -> measure -> mean and, for several seeds, sd of the last points; unknown ratios are omitted."""
    found: Means = {}
    for head in dict.fromkeys(point['head'] for run in runs.values() for point in run['points']):
        last = [next(point for point in reversed(run['points']) if point['head'] == head) for run in runs.values()]
        values = {name: [point[name] for point in last if point[name] is not None] for name in MEASURES}
        found[head] = {name: dict(mean=fmean(seeds), **(dict(sd=stdev(seeds)) if len(seeds) > 1 else {}))
                       for name, seeds in values.items() if seeds}
    return found


def final_table(final: Means) -> str:
    """Return a Markdown table with one row per head."""
    rows = [['at the end of training', 'cross-entropy', 'expectation', 'bound', 'ratio of the gaps']]
    for head, measures in final.items():
        rows.append([head, *(
            f'{values["mean"]:.4f}' + (f' ± {values["sd"]:.4f}' if 'sd' in values else '') if values else 'unknown'
            for values in map(measures.get, MEASURES))])
    return markdown(rows)
