"""BigGAN-deep from files of the user's: a fake package and random weights stand for those that cannot be had here."""
import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from isda_seg.paper.generators.big_gan import CONFIG, PACKAGE, WEIGHTS
from isda_seg.paper.generators.saved_generator import read_generator

NUMBERS = dict(z_dim=4, output_dim=2, num_classes=3)


class BigGANConfig(SimpleNamespace):
    @classmethod
    def from_json_file(cls, path):
        with open(path) as file:
            return cls(**json.load(file))


class BigGAN(nn.Module):
    """The interface of the package's: codes, one-hot labels and a truncation to images in [-1, 1]."""

    def __init__(self, config):
        super().__init__()
        self.config, self.embeddings = config, nn.Linear(config.num_classes, config.z_dim, bias=False)
        self.generator = nn.Linear(2 * config.z_dim, 3 * config.output_dim ** 2)

    def forward(self, z, class_label, truncation):
        made = truncation * self.generator(torch.cat((z, self.embeddings(class_label)), dim=1))
        return made.tanh().unflatten(1, (3, self.config.output_dim, self.config.output_dim))


@pytest.fixture
def package(monkeypatch):
    module = ModuleType(PACKAGE)
    module.BigGAN, module.BigGANConfig = BigGAN, BigGANConfig
    monkeypatch.setitem(sys.modules, PACKAGE, module)
    return module


@pytest.fixture
def network(tmp_path):
    """Random weights, whose two files are in tmp_path."""
    torch.manual_seed(0)
    network = BigGAN(BigGANConfig(**NUMBERS))
    (tmp_path / CONFIG).write_text(json.dumps(NUMBERS))
    torch.save(network.state_dict(), tmp_path / WEIGHTS)
    return network


def test_adapter_passes_one_hot_labels_to_the_network(package, network, tmp_path):
    adapter, z, y = read_generator(tmp_path), torch.randn(2, 4), torch.tensor([2, 0])
    assert (adapter.z_dim, adapter.resolution, adapter.num_classes, adapter.training) == (4, 2, 3, False)
    expected = network(z, torch.tensor([[0.0, 0, 1], [1, 0, 0]]), 1.0)
    torch.testing.assert_close(adapter(z, y), expected)
    torch.testing.assert_close(adapter.images(z, y), (expected + 1) / 2)


def test_missing_files_and_packages_are_errors(package, network, tmp_path, monkeypatch):
    state = network.state_dict()
    torch.save({key: value for key, value in state.items() if key != 'embeddings.weight'}, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match='2 of 3 tensors covered; missing: embeddings.weight'):
        read_generator(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b'half')
    with pytest.raises(ValueError, match='is damaged or belongs to another model'):
        read_generator(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(FileNotFoundError, match=f'contains no {WEIGHTS}'):
        read_generator(tmp_path)
    del package.BigGAN
    with pytest.raises(ImportError, match='has no BigGAN. Install version 0.1.1'):
        read_generator(tmp_path)
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(ImportError, match='pip install pytorch-pretrained-biggan'):
        read_generator(tmp_path)
