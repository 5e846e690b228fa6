"""Codes of linear networks are recovered, and the networks stay unchanged."""
import copy

import pytest
import torch
from helpers import tiny
from helpers.linear_mapping import PIXELS, LinearGenerator, linear_network

from isda_seg.paper.generators.generator import normalised_codes, sample_codes
from isda_seg.paper.visualisation.inversion import RECIPES, Schedule, augment_features, follow_targets, invert

ADAM = Schedule(400, 0.1, (200, 300), optimizer='adam')
LABELS = torch.zeros(3, dtype=torch.int64)


@pytest.fixture
def generator():
    return LinearGenerator().eval()


def real(generator, count=3):
    """Images that the generator can make."""
    with torch.no_grad():
        return generator.images(normalised_codes(sample_codes(count, PIXELS, seed=7)))


@pytest.mark.parametrize('eta', [0, 0.1])
def test_linear_networks_are_inverted(generator, eta):
    images = real(generator)
    found = invert(images, LABELS, generator, linear_network(), eta, ADAM)
    assert float(found.best.max()) < 1e-6
    torch.testing.assert_close(generator.images(found.codes), images, atol=1e-3, rtol=0)


def test_pixel_term_resolves_ambiguous_features(generator):
    images, network = real(generator), linear_network(features=4)
    blind, seeing = (invert(images, LABELS, generator, network, eta, ADAM) for eta in (0, 1))
    assert float(blind.best.max()) < 1e-6
    apart = [(generator.images(found.codes) - images).abs().max().item() for found in (blind, seeing)]
    assert apart[1] < 1e-3 < 0.1 < apart[0]


def test_second_step_reaches_the_augmented_features(generator):
    network, images = linear_network(features=4), real(generator)
    first = invert(images, LABELS, generator, network, 0.1, ADAM)
    targets = augment_features(network(images).detach(), 0.1 * torch.ones(4), 0.5, count=5)
    found = follow_targets(first.z.repeat_interleave(5, dim=0), LABELS.repeat_interleave(5), targets.flatten(0, 1),
                           generator, network, ADAM)
    assert bool((found.history[0] > 10 * found.best).all())
    torch.testing.assert_close(network(generator.images(found.codes)), targets.flatten(0, 1), atol=1e-2, rtol=0)


@pytest.mark.parametrize('optimizer, lr', [('sgd', 0.1), ('adam', 0.1)])
def test_targets_are_optimised_independently(generator, optimizer, lr):
    network, z = linear_network(), normalised_codes(sample_codes(3, PIXELS, seed=1))
    targets = torch.randn(3, PIXELS, generator=torch.Generator().manual_seed(0))
    descent = Schedule(20, lr, (10,), optimizer=optimizer)
    together = follow_targets(z, LABELS, targets, generator, network, descent)
    alone = [follow_targets(z[i:i + 1], LABELS[:1], targets[i:i + 1], generator, network, descent) for i in range(3)]
    torch.testing.assert_close(together.z, torch.cat([found.z for found in alone]))
    torch.testing.assert_close(together.history, torch.cat([found.history for found in alone], dim=1))


def test_rotation_of_a_code_decreases_with_its_squared_norm(generator):
    network, z = linear_network(), sample_codes(3, PIXELS, seed=1)
    generator, network, z = generator.double(), network.double(), z.double()
    targets = torch.randn(3, PIXELS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    short, long = (follow_targets(scale * z, LABELS, targets, generator, network,
                        Schedule(2, 1e-4, weight_decay=0)).history for scale in (1, 10))
    assert bool((short[0] - short[1] > 1e-3).all())
    torch.testing.assert_close(long[0], short[0])
    torch.testing.assert_close(100 * (long[1] - long[0]), short[1] - short[0], rtol=0.01, atol=0)


def test_best_step_is_kept(generator):
    network, images = linear_network(), real(generator)
    found = invert(images, LABELS, generator, network, 0, Schedule(40, 3.0, optimizer='adam'), restarts=4)
    assert torch.equal(found.best, found.history.min(dim=0).values)
    assert bool((found.best < found.history[-1]).any())
    torch.testing.assert_close((network(generator.images(found.codes)) - network(images)).square().sum(1), found.best)
    torch.testing.assert_close(found.codes.mean(1), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.codes.std(1), torch.ones(3))


def test_best_restart_is_kept_and_seeds_are_reproducible(generator):
    network, images, descent = linear_network(), real(generator), Schedule(3, 0.1)
    found = invert(images, LABELS, generator, network, 0, descent, restarts=4, seed=3)
    features = network(images).detach().repeat(4, 1)
    all_of_them = follow_targets(sample_codes(12, PIXELS, 3), LABELS.repeat(4), features, generator, network, descent)
    torch.testing.assert_close(found.best, all_of_them.best.view(4, 3).min(dim=0).values)
    again, other = (invert(images, LABELS, generator, network, 0, descent, restarts=4, seed=seed) for seed in (3, 4))
    assert torch.equal(again.z, found.z)
    assert not torch.equal(other.z, found.z)


def test_inversion_does_not_change_the_networks(generator):
    network = linear_network()
    network.train()
    network.network[2].weight.requires_grad_(False)
    before = {name: copy.deepcopy(part.state_dict()) for name, part in (('G', generator), ('f', network))}
    images = real(generator)
    generator.train()
    found = invert(images, LABELS, generator, network, 0.1, Schedule(2, 0.1))
    follow_targets(found.z, LABELS, torch.zeros(3, PIXELS), generator, network, Schedule(2, 0.1))
    assert [tiny.differing(before[name], part.state_dict()) for name, part in (('G', generator), ('f', network))] == [
        [], []]
    assert {module.training for part in (generator, network) for module in part.modules()} == {True}
    assert [weight.requires_grad for weight in network.parameters()] == [True, True, False]
    assert [weight.grad for part in (generator, network) for weight in part.parameters()] == [None] * 6


def test_rescaled_recipes_keep_their_milestones():
    first = RECIPES['cifar'].first
    assert first.rescaled(100) == first._replace(steps=100, milestones=(25, 50, 75))
    assert [(name, recipe.first.lr, recipe.second.lr) for name, recipe in RECIPES.items()] == [
        ('short', 0.1, 0.1), ('cifar', 10, 1), ('imagenet', 100, 0.1)]


def test_invalid_arguments_are_errors(generator):
    network, images = linear_network(), real(generator)
    with pytest.raises(ValueError, match='at least one restart .* got 0'):
        invert(images, LABELS, generator, network, 0, ADAM, restarts=0)
    with pytest.raises(ValueError, match='at least one step, got 0'):
        invert(images, LABELS, generator, network, 0, Schedule(0, 0.1))
    with pytest.raises(ValueError, match="'sgd' or 'adam', got 'lbfgs'"):
        invert(images, LABELS, generator, network, 0, ADAM._replace(optimizer='lbfgs'))
    with pytest.raises(ValueError, match='got 3 codes and 3 labels for 2 targets'):
        follow_targets(torch.randn(3, PIXELS), LABELS, torch.zeros(2, PIXELS), generator, network, ADAM)
