"""Metrics of adjusted logits: configs, names, entries in results."""
import pytest
import torch

from isda_seg.core.prior import log_prior
from isda_seg.runtime.logit_adjustment import (
    adjusted_metrics,
    check_taus,
    class_log_prior,
    protocol_entry,
    summary_rows,
)


def test_each_metric_is_copied_for_each_tau_with_its_adjustment():
    prior = log_prior(torch.tensor([3, 1]))
    found = adjusted_metrics([dict(type='A', topk=(1,)), dict(type='B')], prior, [0.5, 1.0])
    assert [(metric['type'], metric['prefix']) for metric in found] == [
        ('A', 'tau=0.5'), ('B', 'tau=0.5'), ('A', 'tau=1'), ('B', 'tau=1')]
    assert found[0]['topk'] == (1,)
    for metric, tau in zip(found, (0.5, 0.5, 1, 1), strict=True):
        torch.testing.assert_close(torch.tensor(metric['adjustment']), -tau * torch.tensor([0.75, 0.25]).log())


@pytest.mark.parametrize('tau', [-0.5, float('nan'), float('inf')])
def test_invalid_tau_is_an_error(tau):
    with pytest.raises(ValueError, match='--logit-adjustment'):
        check_taus([0.5, tau])


@pytest.mark.parametrize('taus', [[1, 1.0], [0.1234567, 0.1234568]])
def test_values_of_tau_that_share_a_name_are_an_error(taus):
    with pytest.raises(ValueError, match='--logit-adjustment needs values that differ in six digits'):
        check_taus(taus)
    assert check_taus([0.5, 1]) == [0.5, 1]


def test_prior_is_that_of_the_last_isda_loss_or_of_the_labels():
    state = {key: torch.tensor(value) for key, value in {
        'head.0.loss.statistics.count': [1, 1], 'head.1.loss.statistics.count': [6, 2], 'head.weight': [5],
        'header.loss.statistics.count': [7, 8]}.items()}
    for module, expected in (('head', [0.75, 0.25]), ('head.0', [0.5, 0.5]), ('loss', [0.9, 0.1])):
        found = class_log_prior(state, module, lambda: torch.tensor([9, 1]))
        torch.testing.assert_close(found.exp(), torch.tensor(expected))


def test_metrics_of_adjusted_logits_are_grouped_by_tau():
    flat = {'mIoU': 1.0, 'tau=0.5/mIoU': 2.0, 'IoU.a/b': 3.0, 'tau=1/mIoU': 4.0, 'tau=1/IoU.a/b': 5.0}
    found = protocol_entry(flat, lambda metrics: {key: 10 * value for key, value in metrics.items()})
    assert found == {'mIoU': 10.0, 'IoU.a/b': 30.0, 'logit_adjustment': {
        '0.5': {'mIoU': 20.0}, '1': {'mIoU': 40.0, 'IoU.a/b': 50.0}}}
    assert protocol_entry({'mIoU': 1.0}, dict) == {'mIoU': 1.0}
    protocols = dict(single=found, ms={'mIoU': 6.0, 'logit_adjustment': {'0.5': {'mIoU': 7.0}, '1': {'mIoU': 8.0}}})
    rows = summary_rows(protocols, 'net')
    assert {label: [entry['mIoU'] for entry in entries] for label, entries in rows.items()} == {
        'net': [10.0, 6.0], 'tau = 0.5': [20.0, 7.0], 'tau = 1': [40.0, 8.0]}
