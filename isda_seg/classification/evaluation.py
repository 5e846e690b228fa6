"""Evaluation of a classification checkpoint."""
import copy
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from isda_seg.classification.class_prior import class_log_prior
from isda_seg.classification.data.data_check import check_data
from isda_seg.metrics.last_evaluations import with_last_mean
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.config_keys import type_name
from isda_seg.runtime.logit_adjustment import KEY, adjusted_metrics, check_taus, protocol_entry, summary_rows
from isda_seg.runtime.run_record import as_test, result
from isda_seg.runtime.screen import runner_from

PROTOCOL = 'single'


def evaluate(cfg: Config, config: str, checkpoint: str, protocols: tuple[str, ...] = (PROTOCOL,),
             show_dir: str | None = None, show_most: int | None = None,
             taus: Sequence[float] = (), keep: Any = None) -> dict[str, Any]:
    """Test a checkpoint.

    Args:
        cfg: config as ``load_config`` returns it; ``likelihood=False`` leaves out "nll" and "ece".
        config: path of the config.
        checkpoint: path of the checkpoint.
        protocols: only the default is supported.
        show_dir: must be None; visualisations are not supported.
        show_most: must be None.
        taus: values of tau for logit adjustment (Menon et al., ICLR 2021, Eq. 9). For each, metrics are also computed
            with ``tau * log prior`` subtracted from the logits, in the same pass over the data.
        keep: unused, since there is one protocol.

    Returns:
        {"protocols": {"single": {"top1_error", "top1_accuracy", ...}}, ...} with the entries of ``result``, in per
        cent. If the test data are the validation data of training, ``top1_error_last10`` is the mean over the last 10
        epochs up to this checkpoint. With taus the protocol has a further entry "logit_adjustment": {"0.5":
        {"top1_error", ..., "nll", "ece"}}.

    Raises:
        ValueError, FileNotFoundError: an unsupported protocol or option, a missing, truncated or mismatched checkpoint,
            missing data, or training labels that cannot be counted.
    """
    taus = check_taus(taus)
    if tuple(protocols) != (PROTOCOL,):
        raise ValueError(f'classification supports only the protocol {PROTOCOL}, got {list(protocols)}')
    if show_dir is not None or show_most is not None:
        raise ValueError('--show-dir and --show-most are not supported for classification. Omit them')
    loaded = check_checkpoint(checkpoint, module='fc')
    check_data(cfg, ('test',))
    run = copy.deepcopy(cfg)
    evaluators = run.test_evaluator if isinstance(run.test_evaluator, list) else [run.test_evaluator]
    likelihood = [dict(type='LikelihoodMetric')] if cfg.get('likelihood', True) else []
    run.test_evaluator = [*evaluators, *likelihood]
    if taus:
        of_logits = [metric for metric in evaluators if type_name(metric) == 'TopKAccuracy'] + likelihood
        prior = class_log_prior(cfg, loaded.get('state_dict', loaded))
        run.test_evaluator += adjusted_metrics(of_logits, prior, taus)
    as_test(run, config, checkpoint, PROTOCOL)
    metrics = runner_from(run).test()
    if cfg.test_dataloader.dataset == cfg.get('val_dataloader', {}).get('dataset'):
        metrics = with_last_mean(metrics, loaded.get('meta', {}))
    return result(cfg, config, checkpoint, loaded, {PROTOCOL: protocol_entry(metrics, _rounded)})


def _rounded(metrics: dict[str, float]) -> dict[str, Any]:
    return {name: round(float(value), 4) for name, value in metrics.items()}


def summary(results: dict[str, Any], name: str = '') -> str:
    """Format every metric in per cent, one row for plain logits and one for each tau; '-' if missing."""
    rows = summary_rows(results['protocols'], name)
    columns, width = [key for key in results['protocols'][PROTOCOL] if key != KEY], max(map(len, rows))
    cells = {label: [f'{metrics[key]:.2f}' if key in metrics else '-' for key in columns]
             for label, (metrics,) in rows.items()}
    return '\n'.join([' | '.join([''.ljust(width), *columns]),
                      *(' | '.join([label.ljust(width), *(map(str.rjust, values, map(len, columns)))])
                        for label, values in cells.items())])
