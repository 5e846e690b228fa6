"""Points, images and volumes: ISDA with one to three spatial dimensions."""

import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.exhaustive import exhaustive
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.core.functional import closed_form_loss
from isda_seg.core.ops.upsampled import Grid, resize
from isda_seg.criterion import ISDACriterion

CLASSES, CHANNELS, IGNORE, STRENGTH = 3, 4, 255, 2.5
MODES = {1: 'linear', 2: 'bilinear', 3: 'trilinear'}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
SIZES = {1: ((4,), (9,)), 3: ((2, 3, 2), (4, 7, 3))}  # of features and labels


def attached(layer, **kwargs):
    loss = ISDACriterion(ignore_index=IGNORE, **kwargs)
    attach(loss, layer, kwargs.pop('align_corners', False))
    loss.strength = STRENGTH
    return loss


def problem(sides, dtype=torch.float32, channels=CHANNELS):
    generator = torch.Generator().manual_seed(sides)
    small, large = SIZES[sides]
    labels = torch.randint(CLASSES, (2, *large), generator=generator)
    labels.view(-1)[::5] = IGNORE
    return torch.randn(2, channels, *small, generator=generator, dtype=dtype), labels


def rows(values):
    """(B, X, ...) as samples (n, X)."""
    return values.movedim(1, -1).flatten(0, -2)


def on_grid(labels, size):
    """Labels at the centres of cells, by index arithmetic for each position."""
    centres = [[(2 * i + 1) * many // (2 * few) for i in range(few)] for few, many in
               zip(size, labels.shape[1:], strict=True)]
    return torch.stack([image[tuple(torch.cartesian_prod(*map(torch.tensor, centres)).view(-1, len(size)).t())]
                        for image in labels]).view(-1, *size)


@exhaustive('sides, kind, resolution', [
    (3, 'diagonal', 'label'), (3, 'diagonal', 'feature'), (1, 'diagonal', 'feature'), (3, 'full', 'label'),
    (1, 'full', 'label')], kind=lambda case: case[1:] if case[1] == 'diagonal' else 'full')
def test_volumes_and_points_equal_the_float64_loops(sides, kind, resolution):
    torch.manual_seed(0)
    layer, (features, labels) = CONVOLUTIONS[sides](CHANNELS, CLASSES, 1), problem(sides)
    small, large = SIZES[sides]
    loss = attached(layer, covariance=kind, resolution=resolution)
    resized = dict(size=large, mode=MODES[sides])
    found = loss(F.interpolate(layer(features), **resized), labels)
    found.backward()

    weight = layer.weight.detach().flatten(1).double().requires_grad_()
    own, kept = on_grid(labels, small), (labels != IGNORE).flatten()
    count, _, covariance = reference.batch_moments(rows(features), own.flatten(), CLASSES, IGNORE)
    covariance = covariance if kind == 'full' else reference.diagonal(covariance)
    logits = (rows(features).double() @ weight.t() + layer.bias.detach()).view(2, *small, CLASSES).movedim(-1, 1)
    if resolution == 'feature':
        table = reference.margin_variance(weight, covariance)
        member = F.one_hot(own.clamp(max=CLASSES), CLASSES + 1)[..., :CLASSES].double()
        logits = logits + STRENGTH / 2 * (member @ table).movedim(-1, 1)
        expected = F.cross_entropy(rows(F.interpolate(logits, **resized))[kept], labels.flatten()[kept])
    else:
        expected = reference.isda_cross_entropy(rows(F.interpolate(logits, **resized)), labels.flatten(), weight,
                                                covariance, STRENGTH, IGNORE).mean()
    expected.backward()
    assert torch.equal(loss.statistics.count, count)
    assert_close(loss.statistics.covariance.double(), covariance, rtol=1e-5, atol=1e-6)
    assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    assert_close(layer.weight.grad.flatten(1).double(), weight.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('kernel, resolution, base', [
    (1, 'label', None), (1, 'feature', None), (1, 'feature', nn.CrossEntropyLoss), (3, 'label', nn.CrossEntropyLoss)])
@pytest.mark.parametrize('align_corners', [False, True])
def test_a_volume_of_one_slice_gives_the_bits_of_the_image(kernel, resolution, base, align_corners):
    torch.manual_seed(0)
    image = nn.Conv2d(CHANNELS, CLASSES, kernel, padding=kernel // 2)
    volume = nn.Conv3d(CHANNELS, CLASSES, (1, kernel, kernel), padding=(0, kernel // 2, kernel // 2))
    volume.load_state_dict(dict(image.state_dict(), weight=image.weight[:, :, None]))
    losses = [ISDACriterion(resolution=resolution, ignore_index=IGNORE, base=base and base(ignore_index=IGNORE))
              for _ in range(2)]
    results = []
    for loss, layer in zip(losses, (image, volume), strict=True):
        attach(loss, layer, align_corners)
        loss.strength = STRENGTH
        for step in range(3):
            generator = torch.Generator().manual_seed(step)
            features = torch.randn(2, CHANNELS, 4, 5, generator=generator)
            labels = torch.randint(CLASSES, (2, 9, 11), generator=generator)
            labels.view(-1)[::5] = IGNORE
            logits = F.interpolate(image(features), (9, 11), mode='bilinear', align_corners=align_corners)
            if layer is volume:  # the same bits, whichever kernel would compute them
                features, labels, logits = features[:, :, None], labels[:, None], logits[:, :, None]
            logits = logits.detach().requires_grad_()
            loss.captured.capture(layer, features)
            value = loss(logits, labels)
            gradients = torch.autograd.grad(value, [layer.weight, logits])
            results.append([value, *(gradient.flatten() for gradient in gradients), *loss.statistics.moments])
    for found, expected in zip(results[3:], results[:3], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize('sides', [1, 3])
def test_ignored_voxels_equal_removed_voxels(sides):
    torch.manual_seed(0)
    layer, linear, (features, _) = CONVOLUTIONS[sides](CHANNELS, CLASSES, 1), nn.Linear(CHANNELS, CLASSES), \
        problem(sides)
    linear.load_state_dict(dict(weight=layer.weight.flatten(1), bias=layer.bias))
    labels = torch.randint(CLASSES, (2, *features.shape[2:]))
    labels.view(-1)[::5] = IGNORE
    kept = (labels != IGNORE).flatten()
    whole, removed = attached(layer), attached(linear)
    found = whole(layer(features), labels)
    expected = removed(linear(rows(features)[kept]), labels.flatten()[kept])
    assert_close(found, expected)
    assert_close(torch.autograd.grad(found, layer.weight)[0].flatten(1),
                 torch.autograd.grad(expected, linear.weight)[0])
    assert_close(tuple(whole.statistics.moments), tuple(removed.statistics.moments))


@pytest.mark.parametrize('on_features', [False, True])
@pytest.mark.parametrize('sides', [1, 3])
def test_gradients_of_volumes_and_points_equal_finite_differences(sides, on_features):
    torch.manual_seed(0)
    small, large = ((2, 3, 2), (3, 4, 2)) if sides == 3 else SIZES[sides]
    weight = torch.randn(CLASSES, CHANNELS, dtype=torch.float64, requires_grad=True)
    covariance = torch.rand(CLASSES, CHANNELS, dtype=torch.float64)
    logits = torch.randn(1, CLASSES, *large, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(CLASSES, (1, *large))
    labels.view(-1)[::4] = IGNORE
    grid = Grid(on_grid(labels, small), False) if on_features else None
    assert torch.autograd.gradcheck(lambda z, w: closed_form_loss(
        z, labels, w, covariance, STRENGTH, ignore_index=IGNORE, grid=grid), (logits, weight))


@pytest.mark.parametrize('layer', [
    nn.Conv3d(2, CLASSES, (2, 3, 1), padding=(1, 0, 1), stride=(1, 2, 1), padding_mode='replicate'),
    nn.Conv3d(2, CLASSES, 2, dilation=(1, 2, 1)), nn.Conv1d(2, CLASSES, 3, padding=1, stride=2)], ids=str)
def test_kxk_classifiers_equal_a_linear_classifier_on_their_windows(layer):
    sides = len(layer.kernel_size)
    linear = nn.Linear(layer.weight[0].numel(), CLASSES)
    linear.load_state_dict(dict(weight=layer.weight.flatten(1), bias=layer.bias))
    whole, flat = attached(layer, covariance='full'), attached(linear, covariance='full')
    for step in range(2):
        torch.manual_seed(step)
        features = torch.randn(2, 2, *(5, 6, 4)[:sides])
        padding = layer._reversed_padding_repeated_twice
        padded = F.pad(features, padding, mode='constant' if layer.padding_mode == 'zeros' else layer.padding_mode)
        each = torch.eye(layer.weight[0].numel()).view(-1, *layer.weight.shape[1:])  # copies one entry of the window
        options = dict(stride=layer.stride, dilation=layer.dilation)
        windows = getattr(F, f'conv{sides}d')(padded, each, **options)
        logits = layer(features)
        labels = torch.randint(CLASSES, (2, *logits.shape[2:]))
        labels.view(-1)[::5] = IGNORE
        found, expected = whole(logits, labels), flat(linear(rows(windows)), labels.flatten())
        assert_close(found, expected)
    assert_close(tuple(whole.statistics.moments), tuple(flat.statistics.moments), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('tokens', [False, True])
def test_linear_layers_on_voxels_equal_a_convolution(tokens):
    torch.manual_seed(0)
    layer, linear, (features, labels) = nn.Conv3d(CHANNELS, CLASSES, 1), nn.Linear(CHANNELS, CLASSES), problem(3)
    linear.load_state_dict(dict(weight=layer.weight.flatten(1), bias=layer.bias))
    losses, last = (attached(layer), attached(linear)), features.movedim(1, -1)
    logits = linear(last.flatten(1, 3) if tokens else last).reshape(*last.shape[:-1], CLASSES).movedim(-1, 1)
    values = [loss(F.interpolate(z, labels.shape[1:], mode='trilinear'), labels)
              for loss, z in zip(losses, (layer(features), logits), strict=True)]
    assert_close(*values)
    assert torch.equal(losses[0].statistics.count, losses[1].statistics.count)


def test_an_unbatched_volume_is_an_error_with_a_remedy():
    layer = nn.Conv3d(CHANNELS, CLASSES, 1)
    loss = attached(layer)
    with pytest.raises(RuntimeError, match=r'has 4 dimensions, ISDA needs 5: add a batch dimension with unsqueeze\(0'):
        loss(layer(torch.randn(CHANNELS, 2, 3, 4)), torch.zeros(CLASSES, 3, 4, dtype=torch.int64))


def test_four_dimensions_resize_only_to_their_own_size():
    values = torch.randn(1, CLASSES, 2, 2, 2, 2)
    assert resize(values, (2, 2, 2, 2), False) is values
    with pytest.raises(RuntimeError, match=r'3 spatial dimensions, the labels have 4: pass labels of the size \(2, 2'):
        resize(values, (4, 4, 4, 4), False)
