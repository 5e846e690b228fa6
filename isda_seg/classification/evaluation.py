"""Evaluation of a classification checkpoint."""
import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.attachment.supported_losses import reason_not_softmax
from isda_seg.classification.class_prior import count_labels
from isda_seg.classification.data.data_check import check_data
from isda_seg.criterion import ISDACriterion
from isda_seg.metrics.last_evaluations import with_last_mean
from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.config_keys import change_metrics
from isda_seg.runtime.logit_adjustment import KEY, adjusted_metrics, class_log_prior, protocol_entry, summary_rows
from isda_seg.runtime.run_record import as_test, result
from isda_seg.runtime.screen import runner_from
from isda_seg.runtime.task import SINGLE, table
from isda_seg.runtime.weights import weights_in


def evaluate(cfg: Config, config: str, checkpoint: str, taus: Sequence[float] = (),
             quiet: bool = False) -> dict[str, Any]:
    """Test a checkpoint; see ``Task``. Metrics are in per cent.

    If the test data are the validation data of training, ``top1_error_last10`` is the mean over the last 10 epochs up
    to this checkpoint.
    """
    loaded = check_checkpoint(checkpoint, module='fc')
    check_data(cfg, ('test',))
    run = copy.deepcopy(cfg)
    log_prior = class_log_prior(weights_in(loaded), 'loss', partial(count_labels, cfg)) if taus else None
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
        loss = MODELS.build(cfg.model.loss) if cfg.model.get('loss') else MeanCrossEntropy()
    softmax = isinstance(loss, ISDACriterion) or reason_not_softmax(loss) is None
    likelihood = [dict(type='LikelihoodMetric')] if cfg.get('likelihood', True) and softmax else []

    def extended(evaluators: list[Any]) -> list[Any]:
        of_logits = [metric for metric in evaluators if type_name(metric) == 'TopKAccuracy'] + likelihood
        return [*evaluators, *likelihood, *([] if log_prior is None else adjusted_metrics(of_logits, log_prior, taus))]

    change_metrics(run, extended)
    as_test(run, config, checkpoint, SINGLE)
    metrics = with_last_mean(runner_from(run, quiet).test(), cfg, loaded)
    rounded = {name: round(float(value), 4) for name, value in metrics.items()}
    return result(cfg, config, checkpoint, loaded, {SINGLE: protocol_entry(rounded, dict)})


def summary(results: dict[str, Any], name: str = '') -> str:
    """Format every metric in per cent, one row for plain logits and one for each tau; '-' if missing."""
    columns = [key for key in results['protocols'][SINGLE] if key != KEY]
    return table(columns, {label: [f'{metrics[key]:.2f}' if key in metrics else '-' for key in columns]
                           for label, (metrics,) in summary_rows(results['protocols'], name).items()})
