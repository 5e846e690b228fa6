"""CGAN, ACGAN and InfoGAN: losses, exact resume and generated images."""
import numpy as np
import pytest
import torch
from helpers import tiny

from isda_seg.paper.generators.dcgan import LabelledGenerator
from isda_seg.paper.generators.generator import sample_codes
from isda_seg.paper.generators.labelled_gan_training import (
    ATTRIBUTE_WEIGHT,
    KINDS,
    LabelledGANSettings,
    LabelledGANTraining,
)
from isda_seg.paper.generators.saved_generator import read_generator

pytestmark = [tiny.on_cpu, pytest.mark.parametrize('kind', KINDS)]

CLASSES, SIDE = 3, 8
SETTINGS = LabelledGANSettings(CLASSES, width=4, batch=6)
OUTPUTS = dict(cgan=1, acgan=1 + CLASSES, infogan=1 + CLASSES + 2)


def data(count=18):
    """Images of class c are grey at c / 2 of the range, with noise."""
    labels = torch.arange(count) % CLASSES
    noise = torch.randint(0, 20, (count, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    return (labels[:, None, None, None] * 117 + noise).to(torch.uint8), labels


def trained(kind, steps, settings=SETTINGS, state=None):
    training = LabelledGANTraining(*data(), settings, kind)
    if state is not None:
        training.load_state_dict(state)
    for _ in range(steps):
        training.step()
    return training


def test_discriminator_receives_or_predicts_the_label(kind):
    training = trained(kind, 0)
    assert training.critic[0].in_channels == (3 + CLASSES if kind == 'cgan' else 3)
    assert training.critic[-2].out_channels == OUTPUTS[kind]
    assert training.generator.z_dim == (102 if kind == 'infogan' else 100)
    images, z = torch.zeros(2, 3, SIDE, SIDE), torch.zeros(2, training.generator.z_dim)
    scores = [training._critic_loss(images, torch.tensor([label, 0]), True, z)[0][0].item() for label in (0, 1)]
    assert (scores[0] == scores[1]) == (kind != 'cgan')


def test_discriminator_loss_equals_its_definition(kind):
    training = trained(kind, 1)
    images, labels = torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)), torch.arange(5) % CLASSES
    codes = sample_codes(5, training.generator.z_dim, seed=2)
    training.critic.eval()
    found = {real: training._critic_loss(images, labels, real, codes)[1].item() for real in (True, False)}
    if kind == 'cgan':
        images = torch.cat([images, torch.eye(CLASSES)[labels][:, :, None, None].expand(-1, -1, SIDE, SIDE)], dim=1)
    outputs = training.critic(images).detach().numpy().astype(np.float64)
    others = 0.0
    if kind != 'cgan':
        powers = np.exp(outputs[:, 1:1 + CLASSES])
        others = -np.log(powers[range(5), labels] / powers.sum(1)).mean()
    if kind == 'infogan':
        attributes = training.generator.attributes_of(codes).numpy()
        others += ATTRIBUTE_WEIGHT * np.square(outputs[:, -2:] - attributes).mean()
    for real, sign in ((True, 1), (False, -1)):
        assert found[real] == pytest.approx(np.log1p(np.exp(-sign * outputs[:, 0])).mean() + others, rel=1e-5)


def test_resume_is_bitwise_exact(kind):
    whole = trained(kind, 4)
    torch.randn(7)  # what else is drawn in between does not matter
    first = trained(kind, 2).state_dict()
    assert tiny.differing(tiny.flat(trained(kind, 2, state=first).state_dict()), tiny.flat(whole.state_dict())) == []
    with pytest.raises(ValueError, match='trained with other values of kind'):
        LabelledGANTraining(*data(), SETTINGS, 'acgan' if kind == 'cgan' else 'cgan').load_state_dict(first)
    images, labels = data()
    with pytest.raises(ValueError, match='trained with other values of labels'):
        LabelledGANTraining(images, labels.flip(0), SETTINGS, kind).load_state_dict(first)


def test_generated_brightness_follows_the_class(kind, tmp_path):
    training = trained(kind, 400, SETTINGS._replace(lr=1e-3, width=16))
    torch.save(training.state_dict(), tmp_path / 'gan.pth')
    generator = read_generator(tmp_path / 'gan.pth')
    assert isinstance(generator, LabelledGenerator) and not generator.training
    codes = sample_codes(16, generator.z_dim, seed=0)
    with torch.no_grad():
        means = [generator.images(codes, torch.full((16,), label)).mean().item() for label in range(CLASSES)]
    assert means[0] + 0.05 < means[1] < means[2] - 0.2


def test_attributes_of_normal_codes_are_uniform(kind):
    generator = trained(kind, 0).generator
    quantiles = torch.distributions.Normal(0, 1).icdf(torch.linspace(0.1, 0.9, 5))
    codes = quantiles[:, None].expand(-1, generator.z_dim)
    wanted = torch.linspace(-0.8, 0.8, 5)[:, None].expand(-1, 2 if kind == 'infogan' else 0)
    torch.testing.assert_close(generator.attributes_of(codes), wanted)
