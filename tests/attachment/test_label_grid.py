"""Properties of the label grid: label positions of features, and resizing as in the heads of MMSegmentation."""

import pytest
import torch
import torch.nn.functional as F

from isda_seg.attachment.label_grid import LABEL_SAMPLINGS, label_index, labels_on_grid
from isda_seg.core.ops.upsampled import resize

SIZES = [(1, 1), (1, 9), (2, 2), (2, 33), (3, 7), (5, 33), (9, 9), (13, 97), (48, 769), (97, 769), (129, 513), (7, 100)]


def centre_of_cell(small, large):
    """The label pixel whose cell holds the centre of each feature's cell; on a border, the one after it."""
    centres = [(i + 0.5) * large / small for i in range(small)]
    return torch.tensor([next(p for p in range(large) if p <= centre < p + 1) for centre in centres])


def position_with_aligned_corners(small, large):
    """The nearest label pixel to where align_corners puts each feature; half-way, the one after it."""
    positions = [i * (large - 1) / (small - 1) if small > 1 else 0.0 for i in range(small)]
    return torch.tensor([min(range(large), key=lambda p: (abs(p - x), -p)) for x in positions])


def interpolated(small, large, mode):
    """The label pixel F.interpolate takes: it samples the numbers 0..large-1."""
    return F.interpolate(torch.arange(large, dtype=torch.float64)[None, None], size=small, mode=mode)[0, 0].long()


def test_97_features_of_769_pixels_are_at_multiples_of_8():
    assert torch.equal(label_index(97, 769, align_corners=True), torch.arange(97) * 8)


def test_nearest_is_wrong_by_up_to_7_pixels_from_769_to_97():
    off = (label_index(97, 769, True, 'nearest') - label_index(97, 769, True)).abs()
    assert int(off.max()) == 7


@pytest.mark.parametrize('small, large', SIZES)
def test_exact_with_align_corners_is_the_pixel_nearest_to_the_feature(small, large):
    assert torch.equal(label_index(small, large, align_corners=True), position_with_aligned_corners(small, large))


@pytest.mark.parametrize('small, large', SIZES)
def test_exact_without_align_corners_is_nearest_exact(small, large):
    index = label_index(small, large, align_corners=False)
    assert torch.equal(index, centre_of_cell(small, large))
    assert torch.equal(index, interpolated(small, large, 'nearest-exact'))


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('small, large', SIZES)
def test_nearest_equals_interpolate(small, large, align_corners):
    assert torch.equal(label_index(small, large, align_corners, 'nearest'), interpolated(small, large, 'nearest'))


@pytest.mark.parametrize('sampling', LABEL_SAMPLINGS)
@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('small, large', [*SIZES, (9, 4), (4, 1)])
def test_indices_are_valid_and_never_decrease(small, large, align_corners, sampling):
    index = label_index(small, large, align_corners, sampling)
    assert index.shape == (small,) and index.dtype == torch.int64
    assert int(index.min()) >= 0 and int(index.max()) < large
    assert index.tolist() == sorted(index.tolist())


@pytest.mark.parametrize('sampling, mode', [('exact', 'nearest-exact'), ('nearest', 'nearest')])
def test_labels_on_the_grid_equal_interpolated_labels(sampling, mode):
    labels = torch.randint(5, (2, 33, 45), generator=torch.Generator().manual_seed(0))
    labels[:, ::7] = 255
    expected = F.interpolate(labels[:, None].double(), size=(5, 6), mode=mode)[:, 0].long()
    assert torch.equal(labels_on_grid(labels, (5, 6), False, sampling), expected)


def test_labels_on_the_grid_with_align_corners_are_at_feature_positions():
    labels = torch.randint(5, (2, 33, 49), generator=torch.Generator().manual_seed(1))
    assert torch.equal(labels_on_grid(labels, (5, 7), True), labels[:, ::8, ::8])


def test_labels_of_the_feature_size_do_not_change():
    samples, maps = torch.tensor([3, 0, 255]), torch.arange(12).view(1, 3, 4)
    assert torch.equal(labels_on_grid(samples, (), False), samples)
    assert torch.equal(labels_on_grid(maps, (3, 4), False, 'nearest'), maps)


@pytest.mark.parametrize('align_corners', [False, True])
def test_resize_equals_interpolate_bitwise_in_values_and_gradients(align_corners):
    logits = torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(2), requires_grad=True)
    ours = resize(logits, (17, 23), align_corners)
    theirs = F.interpolate(logits, size=(17, 23), mode='bilinear', align_corners=align_corners)
    assert torch.equal(ours, theirs)
    assert all(torch.equal(a, b) for a, b in zip(torch.autograd.grad(ours.square().sum(), logits),
                                                 torch.autograd.grad(theirs.square().sum(), logits), strict=True))


def test_resize_to_the_same_size_is_the_same_tensor():
    logits = torch.randn(1, 2, 3, 4)
    assert resize(logits, (3, 4), align_corners=True) is logits
