"""Expected calibration error: known values, and the same from any batches."""
import pytest
import torch

from isda_seg.runtime.calibration import calibration, joined


def test_it_is_the_gap_between_confidence_and_accuracy_in_each_bin_weighted_by_samples():
    probabilities = torch.tensor([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [0.35, 0.65]])
    labels = torch.tensor([0, 1, 1, 1])
    found = calibration(probabilities, labels, bins=10)
    assert found.count.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 0, 2]
    assert found.error == pytest.approx((2 * abs(1.0 - 0.65) + 2 * abs(0.5 - 0.95)) / 4)


def test_in_one_bin_it_is_mean_confidence_minus_accuracy():
    probabilities = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    labels = torch.arange(200) % 5
    confidence, predicted = probabilities.max(dim=1)
    expected = abs(float(confidence.mean()) - float((predicted == labels).float().mean()))
    assert calibration(probabilities, labels, bins=1).error == pytest.approx(expected, abs=1e-6)


def test_batches_joined_give_the_whole():
    probabilities = torch.randn(90, 4, generator=torch.Generator().manual_seed(1)).softmax(dim=1)
    labels = torch.arange(90) % 4
    whole = calibration(probabilities, labels)
    parts = joined([calibration(probabilities[at:at + 7], labels[at:at + 7]) for at in range(0, 90, 7)])
    assert parts.count.tolist() == whole.count.tolist()
    assert parts.error == pytest.approx(whole.error)


def test_certain_and_right_is_0_certain_and_wrong_is_1_and_nothing_is_0():
    sure = torch.eye(3)
    assert calibration(sure, torch.tensor([0, 1, 2])).error == 0
    assert calibration(sure, torch.tensor([1, 2, 0])).error == 1
    assert calibration(sure[:0], torch.zeros(0, dtype=torch.int64)).error == 0
