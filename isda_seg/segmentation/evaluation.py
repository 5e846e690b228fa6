"""Evaluation of a segmentation checkpoint."""
import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mmengine.config import Config
from mmseg.registry import METRICS
from torch import Tensor

from isda_seg.metrics.last_evaluations import with_last_mean
from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.config_keys import argument, change_metrics
from isda_seg.runtime.logit_adjustment import adjusted_metrics, class_log_prior, protocol_entry, summary_rows
from isda_seg.runtime.run_record import as_test, result
from isda_seg.runtime.screen import runner_from
from isda_seg.runtime.task import SINGLE, table
from isda_seg.runtime.weights import weights_in
from isda_seg.segmentation.class_prior import count_labels
from isda_seg.segmentation.data_check import check_data
from isda_seg.segmentation.data_preprocessor import check_preprocessor
from isda_seg.segmentation.decode_head import ignored, reason_not_multi_class
from isda_seg.segmentation.first_images import check_first_images, check_views
from isda_seg.segmentation.ignored_labels import check_ignored
from isda_seg.segmentation.loading import check_loading, check_order
from isda_seg.segmentation.metric import BY_CLASS, OutputNamesHook, name_outputs
from isda_seg.segmentation.protocols import PROTOCOLS, apply_protocol

LIKELIHOOD = 'PixelLikelihoodMetric'


def evaluate(cfg: Config, config: str, checkpoint: str, protocols: tuple[str, ...] = PROTOCOLS,
             show_dir: str | None = None, show_most: int | None = None, taus: Sequence[float] = (),
             keep: Callable[[dict[str, Any]], None] | None = None, quiet: bool = False) -> dict[str, Any]:
    """Test a checkpoint with each protocol; see ``Task``.

    A protocol has "mIoU", "aAcc", "mAcc" and, by class, "IoU", "precision" and "recall", in per cent; None for a class
    that never occurs. 'single' has "nll" and "ece" if the decode head is a softmax over its classes, and with taus
    "mean_AP" and "AP" by class. With test-time augmentation the adjusted logits are the log of the averaged
    probabilities.
    """
    runs = [(protocol, apply_protocol(cfg, protocol)) for protocol in protocols]
    loaded = check_checkpoint(checkpoint, module='decode_head')
    check_data(cfg, ('test',))
    check_ignored(cfg, 'test')
    if taus and (reason := reason_not_multi_class(cfg)):
        raise ValueError(f'--logit-adjustment needs a softmax over the classes, but {reason}. Omit it')
    log_prior = class_log_prior(weights_in(loaded), 'decode_head', partial(count_labels, cfg)) if taus else None
    for protocol, run in runs:
        check_order(run, 'test')
        check_loading(run)
        check_preprocessor(run, training=False)
        check_first_images(run, 'test')
        check_views(run, protocol)
        change_metrics(run, partial(_metrics, run, protocol, log_prior, taus, len(runs) > 1))
        as_test(run, config, checkpoint, protocol)
    found: dict[str, Any] = {}
    for number, (protocol, run) in enumerate(runs):
        hooks: list[dict[str, Any]] = [dict(type=OutputNamesHook.__name__)]
        if show_dir is not None and number == 0:
            hooks.append(dict(type='SideBySideHook', out_dir=show_dir, most=show_most))
        run.custom_hooks = [*(run.get('custom_hooks') or []), *hooks]
        metrics = runner_from(run, quiet).test()
        if protocol == SINGLE:
            metrics = with_last_mean(metrics, cfg, loaded)
        found[protocol] = protocol_entry(metrics, _by_class)
        if keep is not None:
            keep(result(cfg, config, checkpoint, loaded, found))
    return result(cfg, config, checkpoint, loaded, found)


def _metrics(run: Config, protocol: str, log_prior: Tensor | None, taus: Sequence[float], several: bool,
             evaluators: list[Any]) -> list[Any]:
    """Return the metrics of a protocol: those of the config and of the logits, and copies of both for each tau.

    ``log_prior`` (C,) is None without taus. With ``several`` protocols, predictions are written into a folder per
    protocol.
    """
    named = [evaluator for evaluator in evaluators if name_outputs(evaluator)]
    for evaluator in evaluators:
        if several and (folder := argument(evaluator, 'output_dir', METRICS)):
            evaluator['output_dir'] = os.path.join(folder, protocol)
    if any(evaluator.get('format_only') for evaluator in evaluators):
        return evaluators
    of_softmax = [dict(type=LIKELIHOOD, ignore_index=ignored(run))]
    if reason_not_multi_class(run) or not run.get('likelihood', True) or LIKELIHOOD in map(type_name, evaluators):
        of_softmax = []
    found = [*evaluators, *(of_softmax if protocol == SINGLE else [])]
    if log_prior is None:
        return found
    labels = [{key: value for key, value in metric.items() if key != 'output_dir'}  # predictions of tau 0 only
              for metric in named]
    found += adjusted_metrics([*labels, *of_softmax], log_prior, taus)
    if protocol == SINGLE:
        found.append(dict(type='PixelAveragePrecisionMetric', ignore_index=ignored(run)))
    elif type_name(run.model) == 'SegTTAModel':
        run.model.type = 'LogProbabilityTTAModel'
    else:
        raise ValueError(f'--logit-adjustment with the protocol {protocol} needs the tta_model SegTTAModel, but the '
                         f'config has {type_name(run.model)}. Use --protocols single')
    return found


def _by_class(metrics: dict[str, float]) -> dict[str, Any]:
    """Group flat per-class metrics such as ``IoU.<class>`` into one entry per metric."""
    found: dict[str, Any] = {}
    for key, value in metrics.items():
        kind, _, name = key.partition('.')
        if kind in (*BY_CLASS, 'AP'):
            found.setdefault(kind, {})[name] = None if math.isnan(value) else round(value, 4)
        else:
            found[key] = round(float(value), 4)
    return found


def summary(results: dict[str, Any], name: str = '') -> str:
    """Format the mIoU of each protocol in per cent, as a row of Table 7."""
    protocols = results['protocols']
    if not any('mIoU' in run for run in protocols.values()):
        return 'the test images have no labels (format_only), so there are no metrics; predictions are in output_dir'
    rows = {label: [f'{run["mIoU"]:.2f}' for run in runs] for label, runs in summary_rows(protocols, name).items()}
    return table([protocol.rjust(8) for protocol in protocols], rows, 'mIoU (%)')
