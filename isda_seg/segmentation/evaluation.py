"""Evaluation of a segmentation checkpoint."""
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

from mmengine.config import Config
from torch import Tensor

from isda_seg.metrics.last_evaluations import with_last_mean
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.config_keys import type_name
from isda_seg.runtime.logit_adjustment import adjusted_metrics, check_taus, protocol_entry, summary_rows
from isda_seg.runtime.run_record import as_test, result
from isda_seg.runtime.screen import runner_from
from isda_seg.segmentation.class_prior import class_log_prior
from isda_seg.segmentation.data_check import check_data
from isda_seg.segmentation.data_preprocessor import check_preprocessor
from isda_seg.segmentation.decode_head import ignored, reason_not_softmax
from isda_seg.segmentation.first_images import check_first_images, check_views
from isda_seg.segmentation.ignored_labels import check_ignored
from isda_seg.segmentation.loading import check_loading
from isda_seg.segmentation.metric import BY_CLASS, OutputNamesHook
from isda_seg.segmentation.protocols import PROTOCOLS, apply_protocol

Keep = Callable[[dict[str, Any]], None]
LIKELIHOOD = 'PixelLikelihoodMetric'


def evaluate(cfg: Config, config: str, checkpoint: str, protocols: tuple[str, ...] = PROTOCOLS,
             show_dir: str | None = None, show_most: int | None = None, taus: Sequence[float] = (),
             keep: Keep | None = None) -> dict[str, Any]:
    """Test a checkpoint with each protocol.

    Args:
        cfg: config as ``load_config`` returns it; ``likelihood=False`` leaves out "nll" and "ece".
        config: path of the config.
        checkpoint: path of the checkpoint.
        protocols: names of evaluation protocols.
        show_dir: folder for visualisations of the first protocol.
        show_most: maximum number of visualisations.
        taus: values of tau for logit adjustment (Menon et al., ICLR 2021, Eq. 9). For each, metrics are also computed
            with ``tau * log prior`` subtracted from the logits, in the same pass over the data. With test-time
            augmentation the logits are the log of the averaged probabilities.
        keep: called with the results so far after each protocol.

    Returns:
        {"protocols": {name: {"mIoU", "aAcc", "mAcc", "IoU": {class: ...}, "precision", "recall"}}, "config",
        "checkpoint", "training" (the runs that made the checkpoint), and all of ``provenance``}. Values are in per
        cent, None for a class that never occurs. 'single' has "nll" and "ece" if the decode head is a softmax over its
        classes. With taus each protocol has a further entry "logit_adjustment": {"0.5": {"mIoU", ...}}, and 'single'
        has "mean_AP" and "AP": {class: average precision}.

    Raises:
        ValueError, FileNotFoundError: an unknown protocol or one whose views have one size, a missing or truncated
            checkpoint, missing data, a metric that ignores another label than the head, or training labels that cannot
            be counted.
    """
    taus = check_taus(taus)
    runs = [(protocol, apply_protocol(cfg, protocol)) for protocol in protocols]
    loaded = check_checkpoint(checkpoint, module='decode_head')
    check_data(cfg, ('test',))
    check_ignored(cfg, 'test')
    if taus and (reason := reason_not_softmax(cfg)):
        raise ValueError(f'--logit-adjustment needs a softmax over the classes, but {reason}. Omit it')
    prior = class_log_prior(cfg, loaded.get('state_dict', loaded)) if taus else None
    for protocol, run in runs:
        check_loading(run)
        check_preprocessor(run, training=False)
        check_first_images(run, 'test')
        check_views(run, protocol)
        _set_evaluators(run, protocol, prior, taus, several=len(runs) > 1)
        as_test(run, config, checkpoint, protocol)
    found: dict[str, Any] = {}
    for number, (protocol, run) in enumerate(runs):
        hooks: list[dict[str, Any]] = [dict(type=OutputNamesHook.__name__)]
        if show_dir is not None and number == 0:
            hooks.append(dict(type='SideBySideHook', out_dir=show_dir, most=show_most))
        run.custom_hooks = [*(run.get('custom_hooks') or []), *hooks]
        metrics = runner_from(run).test()
        if protocol == 'single' and cfg.test_dataloader.dataset == cfg.get('val_dataloader', {}).get('dataset'):
            metrics = with_last_mean(metrics, loaded.get('meta', {}))
        found[protocol] = protocol_entry(metrics, _by_class)
        if keep is not None:
            keep(result(cfg, config, checkpoint, loaded, found))
    return result(cfg, config, checkpoint, loaded, found)


def _set_evaluators(run: Config, protocol: str, prior: Tensor | None, taus: Sequence[float], several: bool) -> None:
    """Set the metrics of a protocol: those of the config, measures of the logits, and both for each tau.

    Args:
        run: config from ``apply_protocol``, changed in place.
        protocol: name of the protocol.
        prior: log class frequencies (C,); None without taus.
        taus: values of tau.
        several: write predictions into a folder per protocol.
    """
    evaluators = run.test_evaluator if isinstance(run.test_evaluator, list) else [run.test_evaluator]
    for evaluator in evaluators:
        if type_name(evaluator) == 'IoUMetric':
            evaluator.type = 'ClassIoUMetric'
        if several and evaluator.get('output_dir'):
            evaluator.output_dir = os.path.join(evaluator.output_dir, protocol)
    if any(evaluator.get('format_only') for evaluator in evaluators):
        return
    of_softmax = [dict(type=LIKELIHOOD, ignore_index=ignored(run))]
    if reason_not_softmax(run) or not run.get('likelihood', True) or LIKELIHOOD in map(type_name, evaluators):
        of_softmax = []
    run.test_evaluator = [*evaluators, *(of_softmax if protocol == 'single' else [])]
    if prior is None:
        return
    labels = [{key: value for key, value in metric.items() if key != 'output_dir'}  # predictions of tau 0 only
              for metric in evaluators if type_name(metric) == 'ClassIoUMetric']
    run.test_evaluator += adjusted_metrics([*labels, *of_softmax], prior, taus)
    if protocol == 'single':
        run.test_evaluator.append(dict(type='PixelAveragePrecisionMetric', ignore_index=ignored(run)))
    elif type_name(run.model) == 'SegTTAModel':
        run.model.type = 'LogProbabilityTTAModel'
    else:
        raise ValueError(f'--logit-adjustment with the protocol {protocol} needs the tta_model SegTTAModel, but the '
                         f'config has {type_name(run.model)}. Use --protocols single')


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
    rows = summary_rows(protocols, name)
    width = max(map(len, ['mIoU (%)', *rows]))
    return '\n'.join([' | '.join(['mIoU (%)'.ljust(width), *(protocol.rjust(8) for protocol in protocols)]),
                      *(' | '.join([label.ljust(width), *(f'{run["mIoU"]:8.2f}' for run in runs)])
                        for label, runs in rows.items())])
