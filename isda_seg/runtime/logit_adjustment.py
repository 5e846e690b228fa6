"""Logit adjustment at test time (Menon et al., ICLR 2021, Eq. 9): its metrics, and their place in results."""
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from isda_seg.core.schedule import check_strength

KEY = 'logit_adjustment'  # of a protocol's entry in results
PREFIX = 'tau='           # how the names of metrics of adjusted logits begin


def check_taus(taus: Sequence[float]) -> list[float]:
    """The values of ``--logit-adjustment``.

    Raises:
        ValueError: one is not a finite number >= 0.
    """
    return [check_strength(tau, '--logit-adjustment') for tau in taus]


def adjusted_metrics(metrics: Sequence[dict[str, Any]], prior: Tensor, taus: Sequence[float]) -> list[dict[str, Any]]:
    """Configs of metrics that take ``adjustment``, once for each tau, with ``-tau * log prior`` and a prefix.

    Args:
        metrics: their configs without either.
        prior: log class frequencies (C,).
    """
    return [dict(metric, prefix=f'{PREFIX}{tau:g}', adjustment=(-tau * prior).tolist())
            for tau in taus for metric in metrics]


def observed_counts(state_dict: dict[str, Tensor], module: str) -> Tensor | None:
    """The samples of each class (C,) that the ISDA loss of a module has observed; None without ISDA.

    Args:
        state_dict: of a checkpoint.
        module: name of the module in the model; of several losses in it the last one is taken.
    """
    counts = [value for key, value in state_dict.items()
              if key.removeprefix('module.').startswith(f'{module}.') and key.endswith('.statistics.count')]
    return counts[-1].cpu() if counts else None


def protocol_entry(metrics: dict[str, float], entry: Callable[[dict[str, float]], dict[str, Any]]) -> dict[str, Any]:
    """What results hold of a protocol: the entry of its metrics and, below ``KEY``, one for each tau.

    Args:
        metrics: flat, as the runner returns them.
        entry: what results hold of the metrics of one kind of logits.
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
    """Label of a row of a summary -> the measures of each protocol: ``name`` for plain logits, then each tau."""
    entries = list(protocols.values())
    taus = entries[0].get(KEY, ())
    return {name: entries, **{f'tau = {tau}': [entry[KEY][tau] for entry in entries] for tau in taus}}
