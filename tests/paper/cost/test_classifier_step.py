"""Training steps with each loss are timed relative to the baseline of the same round."""
import pytest
import torch
from helpers import tiny
from torch import nn

from isda_seg.paper.cost.classifier_step import CLOSED, time_samples
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.timing import quartiles, relative


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, images):
        return self.fc(images.mean(dim=(2, 3)))


@tiny.on_cpu
def test_closed_form_and_samples_are_timed_relative_to_the_baseline():
    torch.manual_seed(0)
    model = Network()
    before = model.fc.weight.detach().clone()
    found = time_samples(model, 'full', [1, 3], 6, 8, Meter('cpu'), 2)
    assert list(found['samples']) == ['plain', CLOSED, '1', '3']
    assert {len(samples) for samples in found['samples'].values()} == {2}
    assert found['extra_time']['3'] == quartiles(relative(found['samples']['3'], found['samples']['plain']))
    assert not torch.equal(model.fc.weight, before)


def test_zero_samples_are_rejected():
    with pytest.raises(ValueError, match='samples must be a positive integer'):
        time_samples(Network(), 'full', [0], 6, 8, Meter('cpu'), 2)
