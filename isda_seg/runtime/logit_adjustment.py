"""Post-hoc logit adjustment (Menon et al., ICLR 2021, Eq. 9): its metrics and their entries in result files."""
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from isda_seg.core.prior import log_prior
from isda_seg.core.schedule import check_strength

KEY = 'logit_adjustment'  # key of a protocol's entry in a result file
PREFIX = 'tau='           # prefix of the names of metrics of adjusted logits
UNCOUNTED = ('cannot count the class prior: the config has no train_dataloader whose {}. Test a checkpoint trained '
             'with ISDA, or add the training data to the config')


def check_taus(taus: Sequence[float]) -> list[float]:
    """Return the values of ``--logit-adjustment``, finite numbers >= 0 that differ in the result file."""
    values = [check_strength(tau, '--logit-adjustment') for tau in taus]
    if len({f'{tau:g}' for tau in values}) < len(values):
        raise ValueError(f'--logit-adjustment needs values that differ in six digits, got {values}. Give one of them')
    return values


def adjusted_metrics(metrics: Sequence[dict[str, Any]], prior: Tensor, taus: Sequence[float]) -> list[dict[str, Any]]:
    """Copy metric configs for each tau, with ``adjustment = -tau * log prior`` (C,) and a prefix."""
    return [dict(metric, prefix=f'{PREFIX}{tau:g}', adjustment=(-tau * prior).tolist())
            for tau in taus for metric in metrics]


def class_log_prior(state_dict: dict[str, Tensor], module: str, count_labels: Callable[[], Tensor]) -> Tensor:
    """Return log class frequencies (C,): those that the last ISDA loss of a module observed, or ``count_labels()``.

    ``count_labels`` is called for the weights ``state_dict`` of a model without ISDA.
    """
    counts = [value for key, value in state_dict.items()
              if key.startswith(f'{module}.') and key.endswith('.statistics.count')]
    return log_prior(counts[-1].cpu() if counts else count_labels())


def protocol_entry(metrics: dict[str, float], entry: Callable[[dict[str, float]], dict[str, Any]]) -> dict[str, Any]:
    """Return a protocol's entry in a result file: its metrics and, under ``KEY``, those of each tau.

    ``metrics`` is flat, as the runner returns it; ``entry`` formats the metrics of plain logits or of one tau.
    """
    plain: dict[str, float] = {}
    adjusted: dict[str, dict[str, float]] = {}
    for key, value in metrics.items():
        if key.startswith(PREFIX):
            tau, _, name = key.removeprefix(PREFIX).partition('/')
            adjusted.setdefault(tau, {})[name] = value
        else:
            plain[key] = value
    return entry(plain) | ({KEY: {tau: entry(values) for tau, values in adjusted.items()}} if adjusted else {})


def summary_rows(protocols: dict[str, dict[str, Any]], name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a summary, {label: metrics of each protocol}: ``name`` for plain logits, then each tau."""
    entries = list(protocols.values())
    taus = entries[0].get(KEY, ())
    return {name: entries, **{f'tau = {tau}': [entry[KEY][tau] for entry in entries] for tau in taus}}
