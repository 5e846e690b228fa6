"""Codes and the generator interface."""
import pytest
import torch
from helpers.linear_mapping import PIXELS, LinearGenerator

from isda_seg.paper.generators.generator import normalised_codes, sample_codes


def test_normalised_codes_have_mean_0_and_deviation_1():
    z = sample_codes(5, 40, seed=0)
    normalized = normalised_codes(z)
    torch.testing.assert_close(normalized.mean(1), torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(normalized.std(1), torch.ones(5))
    torch.testing.assert_close(normalised_codes(100 * z + 3), normalized, atol=1e-5, rtol=0)


def test_gradient_of_a_code_decreases_with_its_scale():
    z = sample_codes(3, 40, seed=0)
    target = sample_codes(3, 40, seed=1)
    gradients = []
    for scale in (1, 10):
        scaled = (scale * z).requires_grad_()
        (normalised_codes(scaled) * target).sum().backward()
        gradients.append(scaled.grad)
    torch.testing.assert_close(gradients[1], gradients[0] / 10)
    torch.testing.assert_close((gradients[0] * normalised_codes(z)).sum(1), torch.zeros(3), atol=1e-4, rtol=0)


def test_codes_are_reproducible_with_the_seed():
    assert torch.equal(sample_codes(3, 8, seed=1), sample_codes(3, 8, seed=1))
    assert not torch.equal(sample_codes(3, 8, seed=1), sample_codes(3, 8, seed=2))


def test_images_rescale_the_output_to_0_to_1():
    generator, z = LinearGenerator().eval(), sample_codes(4, PIXELS, seed=0)
    torch.testing.assert_close(generator.images(z), (generator(z) + 1) / 2)
    generator.value_range = (0.0, 4.0)
    torch.testing.assert_close(generator.images(z), generator(z) / 4)


def test_invalid_codes_and_labels_are_rejected():
    generator = LinearGenerator()
    with pytest.raises(ValueError, match=r'codes \(N, 12\) expected, got \(2, 3\)'):
        generator.images(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r'at least 2 entries expected, got \(2, 1\)'):
        normalised_codes(torch.zeros(2, 1))
    generator.num_classes = 10
    with pytest.raises(ValueError, match=r'a label in 0..9 for each of 2 codes, got None'):
        generator.images(torch.zeros(2, PIXELS))
    with pytest.raises(ValueError, match=r'got \[3, 10\]'):
        generator.images(torch.zeros(2, PIXELS), torch.tensor([3, 10]))
