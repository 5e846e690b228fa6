"""Negative log-likelihood and expected calibration error: known values, independent of the partition into images."""
import pytest
import torch
import torch.nn.functional as F

from isda_seg.metrics.likelihood import chunked_likelihood, likelihood_metrics, summed


def likelihood(logits, labels, **bins):
    return chunked_likelihood([(logits, labels)], **bins)


def ece(found):
    return likelihood_metrics([found])['ece'] / 100


def test_calibration_error_is_the_weighted_gap_per_bin():
    probabilities = torch.tensor([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [0.35, 0.65]])
    found = likelihood(probabilities.log(), torch.tensor([0, 1, 1, 1]), bins=10)
    assert found.count.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 0, 2]
    assert ece(found) == pytest.approx((2 * abs(1.0 - 0.65) + 2 * abs(0.5 - 0.95)) / 4)


def test_calibration_error_in_one_bin_is_confidence_minus_accuracy():
    logits = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(200) % 5
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    expected = abs(float(confidence.mean()) - float((predicted == labels).float().mean()))
    assert ece(likelihood(logits, labels, bins=1)) == pytest.approx(expected, abs=1e-6)


def test_nll_equals_cross_entropy_and_parts_sum_to_the_whole():
    logits = torch.randn(90, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(90) % 4
    whole = likelihood(logits, labels)
    parts = [likelihood(logits[at:at + 7], labels[at:at + 7]) for at in range(0, 90, 7)]
    assert summed(parts)[0].tolist() == whole.count.tolist()
    assert likelihood_metrics([whole])['nll'] == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-6)
    assert likelihood_metrics(parts) == pytest.approx(likelihood_metrics([whole]))


def test_calibration_error_of_certain_predictions_and_of_no_samples():
    sure = 1e3 * torch.eye(3)
    assert ece(likelihood(sure, torch.tensor([0, 1, 2]))) == 0
    assert ece(likelihood(sure, torch.tensor([1, 2, 0]))) == 1
    assert likelihood_metrics([likelihood(sure[:0], torch.zeros(0, dtype=torch.int64))]) == dict(nll=0, ece=0)
