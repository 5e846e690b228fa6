"""Evaluation of a segmentation checkpoint."""
import math
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from isda_seg.metrics.last_evaluations import with_last_mean
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.config_keys import type_name
from isda_seg.runtime.logit_adjustment import adjusted_metrics, check_taus, protocol_entry, summary_rows
from isda_seg.runtime.run_record import as_test, result
from isda_seg.runtime.screen import runner_from
from isda_seg.segmentation.class_prior import class_log_prior
from isda_seg.segmentation.data_check import check_data
from isda_seg.segmentation.loading import check_loading
from isda_seg.segmentation.metric import BY_CLASS
from isda_seg.segmentation.protocols import PROTOCOLS, apply_protocol


def evaluate(cfg: Config, config: str, checkpoint: str, protocols: tuple[str, ...] = PROTOCOLS,
             show_dir: str | None = None, show_most: int | None = None,
             taus: Sequence[float] = ()) -> dict[str, Any]:
    """Test a checkpoint with each protocol.

    Args:
        cfg: config as ``load_config`` returns it.
        config: path of the config.
        checkpoint: path of the checkpoint.
        protocols: names of evaluation protocols.
        show_dir: folder for visualisations of the first protocol.
        show_most: maximum number of visualisations.
        taus: values of tau for logit adjustment (Menon et al., ICLR 2021, Eq. 9). For each, metrics are also computed
            with ``tau * log prior`` subtracted from the logits, in the same pass over the data. With test-time
            augmentation the logits are the log of the averaged probabilities.

    Returns:
        {"protocols": {name: {"mIoU", "aAcc", "mAcc", "IoU": {class: ...}, "precision", "recall"}}, "config",
        "checkpoint", "training" (the runs that made the checkpoint), and all of ``provenance``}. Values are in per
        cent, None for a class that never occurs. With taus each protocol has a further entry "logit_adjustment":
        {"0.5": {"mIoU", ...}}, and 'single' has "mean_AP" and "AP": {class: average precision}.

    Raises:
        ValueError, FileNotFoundError: an unknown protocol, a missing or truncated checkpoint, missing data, or training
            labels that cannot be counted.
    """
    taus = check_taus(taus)
    runs = [(protocol, apply_protocol(cfg, protocol)) for protocol in protocols]
    loaded = check_checkpoint(checkpoint, module='decode_head')
    check_data(cfg, ('test',))
    prior = class_log_prior(cfg, loaded.get('state_dict', loaded)) if taus else None
    found = {}
    for number, (protocol, run) in enumerate(runs):
        evaluators = run.test_evaluator if isinstance(run.test_evaluator, list) else [run.test_evaluator]
        for evaluator in evaluators:
            if type_name(evaluator) == 'IoUMetric':
                evaluator.type = 'ClassIoUMetric'
        if not any(evaluator.get('format_only') for evaluator in evaluators):
            likelihood = dict(type='PixelLikelihoodMetric', ignore_index=ignored(cfg))
            run.test_evaluator = [*evaluators, *([likelihood] if protocol == 'single' else [])]
            if prior is not None:
                of_logits = [metric for metric in evaluators if type_name(metric) == 'ClassIoUMetric'] + [likelihood]
                run.test_evaluator += adjusted_metrics(of_logits, prior, taus)
                if protocol == 'single':
                    run.test_evaluator.append(dict(type='PixelAveragePrecisionMetric', ignore_index=ignored(cfg)))
                elif type_name(run.model) == 'SegTTAModel':
                    run.model.type = 'LogProbabilityTTAModel'
                else:
                    raise ValueError(f'--logit-adjustment with the protocol {protocol} needs the tta_model '
                                     f'SegTTAModel, but the config has {type_name(run.model)}. Use --protocols single')
        check_loading(run)
        as_test(run, config, checkpoint, protocol)
        if show_dir is not None and number == 0:
            run.custom_hooks = [*run.get('custom_hooks', []),
                                dict(type='SideBySideHook', out_dir=show_dir, most=show_most)]
        metrics = runner_from(run).test()
        if protocol == 'single' and cfg.test_dataloader.dataset == cfg.get('val_dataloader', {}).get('dataset'):
            metrics = with_last_mean(metrics, loaded.get('meta', {}))
        found[protocol] = protocol_entry(metrics, _by_class)
    return result(cfg, config, checkpoint, loaded, found)


def ignored(cfg: Config) -> int:
    """Return the ``ignore_index`` of the decode head, by default MMSegmentation's 255."""
    head = cfg.model.get('decode_head', {})
    return int((head[-1] if isinstance(head, list) else head).get('ignore_index', 255))


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
