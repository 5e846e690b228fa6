"""mIoU of a checkpoint in several protocols, as one value."""
import math
from typing import Any

from mmengine.config import Config

from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.config_keys import type_name
from isda_seg.runtime.last_evaluations import with_last_mean
from isda_seg.runtime.run_record import as_test, result
from isda_seg.runtime.screen import runner_from
from isda_seg.segmentation.data_check import check_data
from isda_seg.segmentation.loading import check_loading
from isda_seg.segmentation.metric import BY_CLASS
from isda_seg.segmentation.protocols import PROTOCOLS, apply_protocol


def evaluate(cfg: Config, config: str, checkpoint: str, protocols: tuple[str, ...] = PROTOCOLS,
             show_dir: str | None = None, show_most: int | None = None) -> dict[str, Any]:
    """Test a checkpoint with each protocol.

    Args:
        cfg: as ``load_config`` returns it; config, checkpoint: their paths.
        show_dir: folder for pictures of the first protocol; show_most: how many of them.

    Returns:
        {"protocols": {name: {"mIoU", "aAcc", "mAcc", "IoU": {class: ...}, "precision", "recall"}}, "config",
        "checkpoint", "training" (the runs that made the checkpoint), and all of ``provenance``}; in per cent, None for
        a class that never occurs.

    Raises:
        ValueError, FileNotFoundError: an unknown protocol, a missing or truncated checkpoint, missing data.
    """
    runs = [(protocol, apply_protocol(cfg, protocol)) for protocol in protocols]
    loaded = check_checkpoint(checkpoint, module='decode_head')
    check_data(cfg, ('test',))
    found = {}
    for number, (protocol, run) in enumerate(runs):
        evaluators = run.test_evaluator if isinstance(run.test_evaluator, list) else [run.test_evaluator]
        for evaluator in evaluators:
            if type_name(evaluator) == 'IoUMetric':
                evaluator.type = 'ClassIoUMetric'
        if protocol == 'single' and not any(evaluator.get('format_only') for evaluator in evaluators):
            run.test_evaluator = [*evaluators, dict(type='PixelLikelihoodMetric', ignore_index=ignored(run))]
        check_loading(run)
        as_test(run, config, checkpoint, protocol)
        if show_dir is not None and number == 0:
            run.custom_hooks = [*run.get('custom_hooks', []),
                                dict(type='SideBySideHook', out_dir=show_dir, most=show_most)]
        metrics = runner_from(run).test()
        if protocol == 'single' and cfg.test_dataloader.dataset == cfg.get('val_dataloader', {}).get('dataset'):
            metrics = with_last_mean(metrics, loaded.get('meta', {}))
        found[protocol] = _by_class(metrics)
    return result(cfg, config, checkpoint, loaded, found)


def ignored(cfg: Config) -> int:
    """The label that the config's decode head leaves out; MMSegmentation's default where it says nothing."""
    head = cfg.model.get('decode_head', {})
    return int((head[-1] if isinstance(head, list) else head).get('ignore_index', 255))


def _by_class(metrics: dict[str, float]) -> dict[str, Any]:
    """The flat metrics with those of classes, ``IoU.<class>`` and the like, gathered in an entry per kind."""
    found: dict[str, Any] = {}
    for key, value in metrics.items():
        kind, _, name = key.partition('.')
        if kind in BY_CLASS:
            found.setdefault(kind, {})[name] = None if math.isnan(value) else round(value, 4)
        else:
            found[key] = round(float(value), 4)
    return found


def summary(results: dict[str, Any], name: str = '') -> str:
    """One row like Table 7: mIoU of each protocol, in per cent."""
    protocols = results['protocols']
    if not any('mIoU' in run for run in protocols.values()):
        return 'the test images have no labels (format_only), so nothing was measured; predictions are in output_dir'
    width = max(len(name), len('mIoU (%)'))
    return '\n'.join((' | '.join(['mIoU (%)'.ljust(width), *(protocol.rjust(8) for protocol in protocols)]),
                      ' | '.join([name.ljust(width), *(f'{run["mIoU"]:8.2f}' for run in protocols.values())])))
