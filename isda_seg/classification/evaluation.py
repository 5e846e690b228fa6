"""Evaluation of a classification checkpoint."""
import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

from mmengine.config import Config

from isda_seg.classification.class_prior import count_labels
from isda_seg.classification.data.data_check import check_data
from isda_seg.metrics.last_evaluations import with_last_mean
from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.runtime.checkpoint import check_checkpoint
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
    evaluators = run.test_evaluator if isinstance(run.test_evaluator, list) else [run.test_evaluator]
    likelihood = [dict(type='LikelihoodMetric')] if cfg.get('likelihood', True) else []
    run.test_evaluator = [*evaluators, *likelihood]
    if taus:
        of_logits = [metric for metric in evaluators if type_name(metric) == 'TopKAccuracy'] + likelihood
        prior = class_log_prior(weights_in(loaded), 'loss', partial(count_labels, cfg))
        run.test_evaluator += adjusted_metrics(of_logits, prior, taus)
    as_test(run, config, checkpoint, SINGLE)
    metrics = with_last_mean(runner_from(run, quiet).test(), cfg, loaded)
    return result(cfg, config, checkpoint, loaded, {SINGLE: protocol_entry(metrics, _rounded)})


def _rounded(metrics: dict[str, float]) -> dict[str, Any]:
    return {name: round(float(value), 4) for name, value in metrics.items()}


def summary(results: dict[str, Any], name: str = '') -> str:
    """Format every metric in per cent, one row for plain logits and one for each tau; '-' if missing."""
    columns = [key for key in results['protocols'][SINGLE] if key != KEY]
    return table(columns, {label: [f'{metrics[key]:.2f}' if key in metrics else '-' for key in columns]
                           for label, (metrics,) in summary_rows(results['protocols'], name).items()})
