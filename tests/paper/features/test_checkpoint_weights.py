"""Weights are loaded completely or not at all; per-image buffers may be missing."""

import pytest
import torch
from torch import nn

from isda_seg.paper.features.checkpoint_weights import load_weights


class Net(nn.Module):
    """A layer, and the memory of a method for few labels with a row per image."""

    def __init__(self, images=0):
        super().__init__()
        self.fc, self.method = nn.Linear(3, 2), nn.Module()
        self.method.register_buffer('ensemble', torch.ones(images, 2))


def saved(folder, **state):
    torch.save(dict(state_dict=state, meta=dict(epoch=3)), folder / 'model.pth')
    return str(folder / 'model.pth')


def test_weights_are_loaded_without_per_image_buffers(tmp_path):
    trained, fresh = Net(images=5), Net()
    path = saved(tmp_path, **{f'module.{key}': value for key, value in trained.state_dict().items()})
    assert load_weights(fresh, path) == dict(epoch=3)
    assert torch.equal(fresh.fc.weight, trained.fc.weight)
    assert fresh.method.ensemble.shape == (0, 2)


@pytest.mark.parametrize('change, words', [
    (dict(conv=torch.ones(1)), 'unexpected: fc.conv'), (dict(weight=None), 'missing: fc.weight'),
    (dict(weight=torch.ones(4, 3)), r'wrong shape: fc.weight \(4, 3\) instead of \(2, 3\)')])
def test_weights_of_another_model_are_rejected(tmp_path, change, words):
    net = Net()
    state = {f'fc.{key}': value for key, value in dict(net.fc.state_dict(), **change).items() if value is not None}
    with pytest.raises(ValueError, match=f'is not a checkpoint of the model of this config: .*{words}'):
        load_weights(net, saved(tmp_path, **state))


def test_url_checkpoint_is_rejected():
    with pytest.raises(ValueError, match='is a URL; download it'):
        load_weights(Net(), 'https://example.org/model.pth')
