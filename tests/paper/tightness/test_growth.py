"""Gap over the strength, and over random subsets of the classes."""
import pytest
import torch

from isda_seg.paper.tightness.growth import head_tightness, over_classes, over_strengths, restrict_classes
from isda_seg.paper.tightness.head_samples import HeadSamples
from isda_seg.paper.tightness.tightness import summary


def samples(covariances=7, labelled=True):
    """Of 7 classes and 4 channels."""
    generator = torch.Generator().manual_seed(0)
    logits, weight, root = (torch.randn(shape, generator=generator) for shape in ((60, 7), (7, 4), (covariances, 4, 4)))
    labels = torch.arange(60) % 6 if labelled else None  # the last class has no sample
    return HeadSamples('head', logits, labels, weight, root @ root.mT, 0.1, 0.5)


def test_gap_and_ratio_grow_with_the_strength():
    found = over_strengths(samples(), [2.0, 0.5, 0.0], num_samples=100, seed=0)
    assert [entry['strength'] for entry in found] == [0.0, 0.5, 2.0]
    gaps = [entry['bound'] - entry['cross_entropy'] for entry in found]
    assert gaps[0] == pytest.approx(0, abs=1e-12)
    assert gaps[2] > 4 * gaps[1] > 0
    assert found[2]['gap_ratio'] > found[1]['gap_ratio'] > 1


def test_all_classes_equal_the_unrestricted_head():
    *_, whole = over_classes(samples(), 0.5, num_samples=40, seed=3)
    assert whole == dict(head='head', classes=7, strength=0.5, **summary(head_tightness(samples(), 0.5, 40, 3)))


@pytest.mark.parametrize('labelled', [True, False])
@pytest.mark.parametrize('covariances', [7, 1])
def test_restricted_head_keeps_the_rows_of_its_classes(covariances, labelled):
    own = samples(covariances, labelled)
    part, chosen = restrict_classes(own, torch.tensor([5, 2, 6])), [2, 5, 6]
    rows = [n for n in range(60) if (n % 6 if labelled else int(own.logits[n].argmax())) in chosen]
    assert torch.equal(part.logits, own.logits[rows][:, chosen])
    assert torch.equal(part.weight, own.weight[chosen])
    assert torch.equal(part.covariance, own.covariance[chosen] if covariances == 7 else own.covariance)
    assert part.labels is None if not labelled else \
        [chosen[label] for label in part.labels.tolist()] == [n % 6 for n in rows]


def test_random_subsets_are_pooled_over_their_samples():
    two, seven = over_classes(samples(), 0.5, num_samples=4, seed=0)
    assert (two['classes'], seven['classes']) == (2, 7)
    assert 10 * 10 <= two['logit_vectors'] <= 10 * 20  # ten sets; every class but the last has ten samples
    assert seven['logit_vectors'] == 60
