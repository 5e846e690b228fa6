"""Average precision from histograms equals scikit-learn's within a bin width, for any partition."""
import pytest
import torch
from torch.testing import assert_close

from isda_seg.metrics.average_precision import BINS, LARGEST, average_precision, ranking
from isda_seg.metrics.likelihood import summed

sklearn_metrics = pytest.importorskip('sklearn.metrics')
CLASSES = 4


def pixels(number=5000, seed=0):
    """Logits of an imperfect model in float64, and labels; classes have unequal frequencies."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.multinomial(torch.tensor([0.6, 0.3, 0.09, 0.01]), number, replacement=True, generator=generator)
    logits = torch.randn(number, CLASSES, generator=generator, dtype=torch.float64)
    logits[torch.arange(number), labels] += 1.5
    return logits, labels


def reference(scores, labels):
    return torch.tensor([sklearn_metrics.average_precision_score((labels == c).numpy(), scores[:, c].numpy())
                         for c in range(CLASSES)], dtype=torch.float64)


def test_average_precision_of_raw_scores_within_the_binning_error():
    logits, labels = pixels()
    found = average_precision(ranking(logits, labels))
    half_a_bin = LARGEST / BINS  # and a probability changes by at most 1/4 per unit of log-odds
    assert_close(found, reference(logits.softmax(dim=1), labels), atol=half_a_bin / 4, rtol=0)


def test_average_precision_is_exact_for_scores_rounded_to_bins():
    logits, labels = pixels()
    odds = logits.softmax(dim=1).logit()
    rounded = ((odds + LARGEST) * (BINS / (2 * LARGEST))).floor()
    assert_close(average_precision(ranking(logits, labels)), reference(rounded, labels), atol=1e-12, rtol=0)


def test_fewer_bins_give_a_larger_error():
    logits, labels = pixels()
    expected = reference(logits.softmax(dim=1), labels)
    errors = [(average_precision(ranking(logits, labels, bins)) - expected).abs().max() for bins in (32, 256, 4096)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_merged_parts_equal_the_whole():
    logits, labels = pixels()
    parts = [ranking(logits[part], labels[part]) for part in torch.arange(len(labels)).split(700)]
    for own, whole in zip(summed(parts), ranking(logits, labels), strict=True):
        assert torch.equal(own, whole)


def test_a_perfect_ranking_is_1_and_a_class_without_samples_is_nan():
    labels = torch.tensor([0, 0, 1, 2])
    found = average_precision(ranking(10 * torch.nn.functional.one_hot(labels, CLASSES).float(), labels))
    assert_close(found, torch.tensor([1, 1, 1, torch.nan], dtype=torch.float64), equal_nan=True)


def test_certain_predictions_share_the_outer_bins():
    logits = torch.tensor([[1000.0, 0, 0, 0], [0, 1000, 0, 0], [1000, 0, 0, 0]])
    positive, negative = ranking(logits, torch.tensor([0, 1, 1]))
    assert positive.sum(dim=1).tolist() == [1, 2, 0, 0]
    assert (positive[0, -1], positive[1, -1], positive[1, 0], negative[0, -1]) == (1, 1, 1, 1)
