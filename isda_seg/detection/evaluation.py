"""Evaluation of a detection checkpoint."""
import copy
from typing import Any

from mmengine.config import Config

from isda_seg.detection.backbone import BACKBONE, state_of
from isda_seg.detection.data_check import check_data
from isda_seg.openmmlab.config_nodes import dicts
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.run_record import as_test, result
from isda_seg.runtime.screen import runner_from
from isda_seg.runtime.task import SINGLE, table
from isda_seg.runtime.weights import coverage, plain_state, weights_in

PREFIX = 'coco/'


def evaluate(cfg: Config, config: str, checkpoint: str, show_dir: str | None = None, show_most: int | None = None,
             quiet: bool = False) -> dict[str, Any]:
    """Test a checkpoint with the evaluator of the config; see ``Task``.

    The result has "backbone" (of ``check_backbone``). Metrics such as "bbox_mAP_50" are in per cent with one decimal,
    as MMDetection rounds them, and None if the data have no object of that size. The key ``pictures`` of the config, a
    dict, holds arguments of ``DetectionsHook``.
    """
    loaded = check_checkpoint(checkpoint)
    covers = coverage(state_of(cfg.model), plain_state(weights_in(loaded))[0])
    if loaded and not covers.full:
        raise ValueError(f'{checkpoint} is not a checkpoint of this detector: {covers}')
    check_data(cfg, ('test',))
    run = copy.deepcopy(cfg)
    as_test(run, config, checkpoint, SINGLE)
    if show_dir is not None:
        run.custom_hooks = [*(run.get('custom_hooks') or []),
                            dict(type='DetectionsHook', out_dir=show_dir, most=show_most, **cfg.get('pictures', {}))]
    metrics = runner_from(run, quiet).test()
    requested = [node['metric'] for node in dicts(run.test_evaluator) if 'metric' in node]  # 'bbox', 'segm'
    metrics = metrics or {f'{name}_mAP': 0.0 for names in requested  # no detections
                          for name in ([names] if isinstance(names, str) else names)}
    found = {SINGLE: in_per_cent(metrics)}
    return dict(result(cfg, config, checkpoint, loaded, found), backbone=loaded.get('meta', {}).get(BACKBONE))


def in_per_cent(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Convert COCO's metrics to per cent without prefix; -1 (no such objects) becomes None."""
    numbers = {name.removeprefix(PREFIX): value for name, value in metrics.items() if not isinstance(value, str)}
    return {name: None if value < 0 else round(100 * float(value), 1) for name, value in numbers.items()}


def summary(results: dict[str, Any], name: str = '') -> str:
    """Format every metric in per cent as one row; '-' for None."""
    columns = results['protocols'][SINGLE]
    return table(list(columns), {name: ['-' if value is None else f'{value:.1f}' for value in columns.values()]})
