"""Properties of k x k classifiers: equal to 1x1 classifiers on unfolded features."""

import pytest
import reference
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.core import class_moments, moments, windows
from isda_seg.core.ops import device
from isda_seg.core.windows import Windows, windowed_moments
from isda_seg.criterion import ISDACriterion

CLASSES, CHANNELS, IGNORE, STRENGTH = 3, 2, 255, 2.5
CONVOLUTIONS = [
    dict(kernel_size=3, padding=1), dict(kernel_size=3, padding='same', dilation=2, padding_mode='reflect'),
    dict(kernel_size=(2, 3), stride=(2, 1)), dict(kernel_size=1, stride=2, padding=1, bias=False),
]


def convolution(**kwargs):
    torch.manual_seed(0)
    return nn.Conv2d(CHANNELS, CLASSES, **kwargs)


def problem(conv, size=(7, 8), scale=3):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, CHANNELS, *size, generator=generator)
    labels = torch.randint(CLASSES, (2, *(scale * side for side in conv(features).shape[2:])), generator=generator)
    labels.view(-1)[::7] = IGNORE
    return features, labels


def unfolded(conv, features):
    """(B, A k k, h', w') by PyTorch's own unfold."""
    mode = 'constant' if conv.padding_mode == 'zeros' else conv.padding_mode
    padded = F.pad(features, conv._reversed_padding_repeated_twice, mode=mode)
    columns = F.unfold(padded, conv.kernel_size, conv.dilation, 0, conv.stride)
    return columns.view(len(features), -1, *conv(features).shape[2:])


@pytest.mark.parametrize('options', CONVOLUTIONS, ids=str)
def test_windows_equal_unfold(options):
    conv = convolution(**options)
    features, _ = problem(conv)
    found, expected = Windows.of(conv, features), unfolded(conv, features)
    assert found.shape == expected.shape
    bands = {(image.start, rows.start): band for image, rows, band in found.bands()}
    assert torch.equal(torch.cat([torch.cat([bands[i, r] for j, r in sorted(bands) if j == i], dim=2)
                                  for i in range(2)]), expected)


@pytest.mark.parametrize('cpu', [False, True])
@pytest.mark.parametrize('kind', moments.COVARIANCES)
def test_moments_over_bands_equal_those_of_unfolded_features(kind, cpu, monkeypatch):
    conv = convolution(kernel_size=3, padding=1, stride=(1, 2))
    features, labels = problem(conv, scale=1)
    features[1, 0, 3, 3] = float('inf')
    samples = unfolded(conv, features)
    expected = class_moments(samples, labels, CLASSES, covariance=kind, ignore_index=IGNORE)
    monkeypatch.setattr(windows, 'CACHE_ELEMENTS', 200)  # two rows
    monkeypatch.setattr(device, 'CPU_TYPES', ('cpu',) if cpu else ())
    found, dropped = windowed_moments(Windows.of(conv, features), labels, CLASSES, kind, IGNORE)
    assert_close(found, expected)
    assert int(dropped) == int(((samples.sum(1).isfinite() == 0) & (labels != IGNORE)).sum()) > 1


@pytest.mark.parametrize('cpu', [True, False])
@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize('options', CONVOLUTIONS, ids=str)
def test_a_rank_without_images_has_moments_of_the_dtype_of_the_other_ranks(options, dtype, cpu, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ('cpu',) if cpu else ())
    conv = convolution(**options)
    features, labels = problem(conv)
    try:
        F.pad(features.to(dtype), (1, 1, 1, 1), mode='reflect')
    except RuntimeError:
        pytest.skip(f'this torch does not pad {dtype} by reflection on a CPU')
    labels = F.interpolate(labels[:, None].double(), size=conv(features).shape[2:], mode='nearest-exact')[:, 0].long()
    some, none = (windowed_moments(Windows.of(conv, features[:n].to(dtype)), labels[:n], CLASSES, 'diagonal', IGNORE)[0]
                  for n in (2, 0))
    assert [field.dtype for field in none] == [field.dtype for field in some]
    assert not any(bool(field.any()) for field in none)


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
@pytest.mark.parametrize('options', CONVOLUTIONS, ids=str)
def test_a_k_x_k_classifier_trains_with_eq_7_on_its_unfolded_features(options, kind):
    conv, loss = convolution(**options), ISDACriterion(kind, ignore_index=IGNORE)
    features, labels = problem(conv)
    loss.strength = STRENGTH
    attach(loss, conv)
    value = loss(F.interpolate(conv(features), size=labels.shape[1:], mode='bilinear'), labels)
    value.backward()

    samples = unfolded(conv, features).double()
    on_grid = labels[:, 1::3, 1::3]  # the middle pixel of three
    covariance = reference.batch_moments(samples.movedim(1, -1).flatten(0, 2), on_grid.flatten(), CLASSES, IGNORE)[2]
    weight = conv.weight.detach().flatten(1).double().requires_grad_()
    logits = F.conv2d(samples, weight[:, :, None, None], None if conv.bias is None else conv.bias.detach().double())
    logits = F.interpolate(logits, size=labels.shape[1:], mode='bilinear').movedim(1, -1).flatten(0, 2)
    expected = reference.isda_cross_entropy(logits, labels.flatten(), weight, covariance if kind == 'full' else
                                            reference.diagonal(covariance), STRENGTH, IGNORE).mean()
    expected.backward()
    assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)
    assert_close(conv.weight.grad.flatten(1).double(), weight.grad, rtol=1e-4, atol=1e-6)


def test_strength_0_is_the_base_loss_bitwise_and_later_steps_are_verified():
    conv, loss = convolution(kernel_size=3, padding=1), ISDACriterion(ignore_index=IGNORE)
    features, labels = problem(conv)
    attach(loss, conv)
    for _ in range(3):
        logits = F.interpolate(conv(features), size=labels.shape[1:], mode='bilinear')
        assert torch.equal(loss(logits, labels), loss.base(logits, labels, ignore_index=IGNORE))
    conv(features)
    with pytest.raises(RuntimeError, match='do not give the logits the loss got'):
        loss(torch.roll(logits, 1, 1), labels)
    assert int(loss.statistics.count.sum()) == 3 * int((labels[:, 1::3, 1::3] != IGNORE).sum())


def test_full_covariances_of_large_windows_are_an_error_with_a_remedy():
    large = nn.Conv2d(512, 21, 3)
    with pytest.raises(ValueError, match=r"a full covariance of the 4608 channels of each window.* needs 1.7 GiB, "
                                         r"more than the limit of 1 GiB: use covariance='diagonal'"):
        attach(ISDACriterion('full'), large)
    for kind in ('diagonal', 'shared'):
        loss = ISDACriterion(kind)
        attach(loss, large)
        assert loss.statistics.mean.shape == (21, 4608)
