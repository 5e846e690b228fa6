"""Runs on scikit-learn's digits: their images, and what two runs of a pair have in common."""
import pytest
import torch

pytest.importorskip('sklearn')
from isda_seg.paper import digits  # noqa: E402


def test_ten_images_per_digit_train_and_splits_are_disjoint():
    halves = [digits.sample(3, held_out) for held_out in (False, True)]
    assert [torch.bincount(labels).tolist() for _, labels, _, _ in halves] == [[10] * 10] * 2
    assert [len(labels) for *_, labels in halves] == [797, 800]
    parts = [{image.numpy().tobytes() for image in images} for half in halves for images in half[::2]]
    assert [len(one & other) for place, one in enumerate(parts) for other in parts[:place]] == [0] * 6
    assert not torch.equal(digits.sample(4)[0], halves[0][0])


def test_a_run_is_reproducible_and_strength_0_is_cross_entropy(monkeypatch):
    monkeypatch.setattr(digits, 'EPOCHS', 2)
    plain = digits.run(0, 0)
    assert digits.run(0, 0) == plain
    assert digits.run(0, 50.0)['nll'] != plain['nll']

    class Plain(torch.nn.CrossEntropyLoss):
        def __init__(self, covariance):
            super().__init__()

    monkeypatch.setattr(digits, 'ISDACriterion', Plain)
    monkeypatch.setattr(digits, 'attach', lambda loss, classifier: None)
    assert digits.run(0, 0) == pytest.approx(plain, rel=1e-5)
