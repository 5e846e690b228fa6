"""Trial of models of other libraries against Eq. 7."""

import pytest
import torch
from torch import nn

from isda_seg.criterion import ISDACriterion
from isda_seg.paper.coverage.torch_models import CLASSES, Candidate, last_convolution
from isda_seg.paper.coverage.torch_trial import rows, trial


def network(kernel, *after):
    return nn.Sequential(nn.Conv2d(3, 6, 3, stride=4, padding=1), nn.ReLU(),
                         nn.Conv2d(6, CLASSES, kernel, padding=kernel // 2), *after)


def candidate(kernel=1, *after, align_corners=False):
    return Candidate('torch', 'network', lambda: network(kernel, *after), lambda output: output,
                     lambda model: last_convolution(model), align_corners, 32)


@pytest.mark.parametrize('kernel, upsample, size', [(1, [], 8), (3, [nn.UpsamplingBilinear2d(scale_factor=4)], 32)])
def test_supported_model_matches_eq_7_and_is_described(kernel, upsample, size):
    entry = trial(candidate(kernel, *upsample, align_corners=bool(upsample)))
    assert (entry['supported'], entry['strength_0_bitwise'], entry['counts_exact']) == (True, True, True)
    assert (entry['classifier'], entry['kernel'], entry['channels']) == ('2', [kernel] * 2, 6 * kernel ** 2)
    assert (entry['positions'], entry['logits'], entry['labels']) == ([8, 8], [size] * 2, [32, 32])
    assert max(entry['value_error'], entry['gradient_error']) < 1e-5


def test_model_that_differs_from_eq_7_is_not_supported(monkeypatch):
    monkeypatch.setattr(ISDACriterion, 'strength', property(lambda self: 1.0, lambda self, _: None), raising=False)
    entry = trial(candidate())
    assert entry['supported'] is False
    assert entry['value_error'] > 1e-3


def test_labels_are_those_at_the_positions_of_the_features():
    features, labels = torch.randn(1, 2, 2, 2), torch.arange(9).view(1, 3, 3)
    assert [rows(features, labels, corners)[1].tolist() for corners in (True, False)] == [[0, 2, 6, 8]] * 2
    assert rows(features, torch.where(labels == 6, 255, labels), True)[1].tolist() == [0, 2, 8]
