"""Runs on scikit-learn's digits: their images, and what two runs of a pair have in common."""
import pytest
import torch

pytest.importorskip('sklearn')
from isda_seg.paper import digits_training  # noqa: E402


def test_ten_images_per_digit_train_and_splits_are_disjoint():
    halves = [digits_training.sample_digits(3, held_out) for held_out in (False, True)]
    assert [torch.bincount(labels).tolist() for _, labels, _, _ in halves] == [[10] * 10] * 2
    assert [len(labels) for *_, labels in halves] == [797, 800]
    parts = [{image.numpy().tobytes() for image in images} for half in halves for images in half[::2]]
    assert [len(one & other) for place, one in enumerate(parts) for other in parts[:place]] == [0] * 6
    assert not torch.equal(digits_training.sample_digits(4)[0], halves[0][0])


def test_a_run_is_reproducible_and_strength_0_is_cross_entropy(monkeypatch):
    monkeypatch.setattr(digits_training, 'EPOCHS', 2)
    plain = digits_training.run(0, 0)
    assert digits_training.run(0, 0) == plain
    assert digits_training.run(0, 50.0)['nll'] != plain['nll']

    class Plain(torch.nn.CrossEntropyLoss):
        def __init__(self, covariance):
            super().__init__()

    monkeypatch.setattr(digits_training, 'ISDACriterion', Plain)
    monkeypatch.setattr(digits_training, 'attach', lambda loss, classifier: None)
    assert digits_training.run(0, 0) == pytest.approx(plain, rel=1e-5)
