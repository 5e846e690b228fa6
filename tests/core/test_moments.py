"""Properties of the class-conditional moments (Eqs. 1-3) and of their merge."""

import numpy as np
import pytest
import reference
import torch
from helpers.exhaustive import any_ignore_index, any_number_of_classes
from torch.testing import assert_close

from isda_seg.core import ClassMoments, class_moments, merge

KINDS = ('diagonal', 'full')


def batch(samples=60, channels=5, num_classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(samples, channels, dtype=torch.float64, generator=generator) * 2 + 1
    mixing = torch.randn(channels, channels, dtype=torch.float64, generator=generator)
    return features @ mixing, torch.randint(num_classes, (samples,), generator=generator)


def literal(features, labels, num_classes, covariance, ignore_index=None):
    count, mean, full = reference.batch_moments(features, labels, num_classes, ignore_index)
    return ClassMoments(count, mean, full if covariance == 'full' else reference.diagonal(full))


def assert_same_moments(actual, expected, **tolerance):
    assert torch.equal(actual.count, expected.count)
    assert_close(actual.mean, expected.mean, **tolerance)
    assert_close(actual.covariance, expected.covariance, **tolerance)


def assert_same_bits(actual, expected):
    assert all(torch.equal(a, e) and a.dtype == e.dtype for a, e in zip(actual, expected, strict=True))


@pytest.mark.parametrize('covariance', KINDS)
def test_moments_equal_the_literal_loops(covariance):
    features, labels = batch()
    actual = class_moments(features, labels, 4, covariance=covariance)
    assert_same_moments(actual, literal(features, labels, 4, covariance), rtol=1e-12, atol=1e-12)


def test_moments_equal_numpy_population_covariance():
    features, labels = batch()
    full = class_moments(features, labels, 4, covariance='full')
    diagonal = class_moments(features, labels, 4, covariance='diagonal')
    for y in range(4):
        rows = features[labels == y].numpy()
        expected = np.cov(rows, rowvar=False, bias=True)
        np.testing.assert_allclose(full.covariance[y].numpy(), expected, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(diagonal.covariance[y].numpy(), rows.var(axis=0), rtol=1e-11)
        np.testing.assert_allclose(full.mean[y].numpy(), rows.mean(axis=0), rtol=1e-11, atol=1e-12)
        assert full.count[y] == diagonal.count[y] == len(rows)


def test_default_covariance_is_the_diagonal_of_the_full_one():
    features, labels = batch()
    default, full = class_moments(features, labels, 4), class_moments(features, labels, 4, covariance='full')
    assert_close(default.covariance, torch.diagonal(full.covariance, dim1=1, dim2=2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('covariance', KINDS)
def test_full_covariance_is_symmetric_and_no_variance_is_negative(covariance):
    features, labels = batch(samples=200, channels=7)
    actual = class_moments(features.float(), labels, 4, covariance=covariance).covariance
    if covariance == 'diagonal':
        assert (actual >= 0).all()
    else:
        assert_close(actual, actual.transpose(1, 2))
        assert (torch.diagonal(actual, dim1=1, dim2=2) >= 0).all()


@pytest.mark.parametrize('covariance', KINDS)
@pytest.mark.parametrize('cuts', [(20, 40), (1, 2, 3), (0, 60), (0, 0, 17, 17, 60), ()])
def test_moments_do_not_depend_on_the_split(covariance, cuts):
    features, labels = batch()
    parts = zip(torch.tensor_split(features, cuts), torch.tensor_split(labels, cuts), strict=True)
    merged = merge(*(class_moments(f, y, 4, covariance=covariance) for f, y in parts))
    assert_same_moments(merged, class_moments(features, labels, 4, covariance=covariance), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('covariance', KINDS)
def test_moments_do_not_depend_on_the_order_of_rows_or_parts(covariance):
    features, labels = batch()
    whole = class_moments(features, labels, 4, covariance=covariance)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    shuffled = class_moments(features[order], labels[order], 4, covariance=covariance)
    parts = [class_moments(f, y, 4, covariance=covariance)
             for f, y in zip(features.split([7, 30, 23]), labels.split([7, 30, 23]), strict=True)]
    assert_same_moments(shuffled, whole, rtol=1e-11, atol=1e-11)
    for some_order in ([0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]):
        assert_same_moments(merge(*(parts[i] for i in some_order)), whole, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('covariance', KINDS)
def test_merge_is_associative(covariance):
    a, b, c = (class_moments(*batch(samples=n, seed=n), 4, covariance=covariance) for n in (9, 14, 30))
    assert_same_moments(merge(merge(a, b), c), merge(a, merge(b, c)), rtol=1e-11, atol=1e-11)
    assert_same_moments(merge(merge(a, b), c), merge(a, b, c), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('covariance', KINDS)
def test_merge_equals_the_paper_recursion(covariance):
    features, labels = batch(samples=48)
    state = reference.batch_moments(features[:0], labels[:0], 4)
    running = class_moments(features[:0], labels[:0], 4, covariance=covariance)
    for f, y in zip(features.split(12), labels.split(12), strict=True):
        state = reference.running_moments(state, reference.batch_moments(f, y, 4))
        running = merge(running, class_moments(f, y, 4, covariance=covariance))
    count, mean, full = state
    expected = ClassMoments(count, mean, full if covariance == 'full' else reference.diagonal(full))
    assert_same_moments(running, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('covariance', KINDS)
def test_an_empty_part_changes_nothing(covariance):
    features, labels = batch()
    whole = class_moments(features, labels, 4, covariance=covariance)
    empty = class_moments(features[:0], labels[:0], 4, covariance=covariance)
    assert torch.equal(empty.count, torch.zeros(4, dtype=torch.int64))
    assert torch.equal(empty.mean, torch.zeros_like(whole.mean))
    assert torch.equal(empty.covariance, torch.zeros_like(whole.covariance))
    assert_same_bits(merge(empty, empty), empty)
    for merged in (merge(whole), merge(empty, whole), merge(whole, empty), merge(empty, whole, empty)):
        assert_same_moments(merged, whole, rtol=1e-14, atol=1e-14)


def test_merge_leaves_its_arguments_alone():
    a, b = class_moments(*batch(seed=1), 4), class_moments(*batch(seed=2), 4)
    before = [t.clone() for t in (*a, *b)]
    merge(a, b)
    assert_same_bits([*a, *b], before)


def test_merge_without_arguments_is_an_error():
    with pytest.raises(ValueError, match=r'(?i)merge|at least one|nothing'):
        merge()


@pytest.mark.parametrize('other', [dict(num_classes=6), dict(channels=3), dict(covariance='full')])
def test_merge_of_different_shapes_is_an_error(other):
    channels, num_classes = other.get('channels', 5), other.get('num_classes', 4)
    one = class_moments(*batch(), 4)
    two = class_moments(*batch(channels=channels), num_classes, covariance=other.get('covariance', 'diagonal'))
    with pytest.raises(ValueError, match=r'\d'):
        merge(one, two)


def test_counts_are_exact_beyond_float32_and_float64():
    huge = 2 ** 53 + 1
    one = ClassMoments(torch.tensor([huge, 2 ** 24 + 1]), torch.zeros(2, 3), torch.ones(2, 3))
    two = ClassMoments(torch.tensor([2, 2]), torch.zeros(2, 3), torch.ones(2, 3))
    merged = merge(one, two)
    assert merged.count.tolist() == [huge + 2, 2 ** 24 + 3]
    assert merged.count.dtype == torch.int64
    assert_close(merged.covariance, torch.ones(2, 3))


@pytest.mark.parametrize('covariance', KINDS)
def test_features_around_1000_keep_a_correct_variance_in_float32(covariance):
    features, labels = batch(samples=4000, channels=6)
    features = (features / features.std(0) + 1000).float()
    expected = literal(features, labels, 4, covariance).covariance.float()
    whole = class_moments(features, labels, 4, covariance=covariance)
    parts = merge(*(class_moments(f, y, 4, covariance=covariance)
                    for f, y in zip(features.split(100), labels.split(100), strict=True)))
    assert_close(whole.covariance, expected, rtol=2e-4, atol=2e-4)
    assert_close(parts.covariance, expected, rtol=5e-4, atol=5e-4)


def test_a_class_never_seen_has_zeros():
    features, labels = batch(num_classes=3)
    for covariance in KINDS:
        count, mean, sigma = class_moments(features, labels, 5, covariance=covariance)
        assert count[3:].tolist() == [0, 0]
        assert torch.equal(mean[3:], torch.zeros_like(mean[3:]))
        assert torch.equal(sigma[3:], torch.zeros_like(sigma[3:]))


def test_a_class_seen_once_has_covariance_zero_and_itself_as_mean():
    features = torch.tensor([[1.5, -3.25, 1e4]], dtype=torch.float32)
    for covariance in KINDS:
        count, mean, sigma = class_moments(features, torch.tensor([1]), 3, covariance=covariance)
        assert count.tolist() == [0, 1, 0]
        assert torch.equal(mean[1], features[0])
        assert torch.equal(sigma, torch.zeros_like(sigma))


@any_number_of_classes
@any_ignore_index
@pytest.mark.parametrize('covariance', KINDS)
def test_ignored_rows_equal_removed_rows_for_any_number_of_classes(num_classes, ignore_index, covariance):
    features, labels = batch(samples=90, channels=3, num_classes=num_classes)
    if ignore_index is not None:
        labels[::4] = ignore_index
        kept = labels != ignore_index
    else:
        kept = torch.ones(90, dtype=torch.bool)
    actual = class_moments(features, labels, num_classes, covariance=covariance, ignore_index=ignore_index)
    removed = class_moments(features[kept], labels[kept], num_classes, covariance=covariance)
    assert_same_moments(actual, removed, rtol=1e-12, atol=1e-12)
    expected = literal(features, labels, num_classes, covariance, ignore_index)
    assert_same_moments(actual, expected, rtol=1e-11, atol=1e-11)
    assert int(actual.count.sum()) == int(kept.sum())


def test_an_ignored_class_inside_the_range_gets_no_statistics():
    features, labels = batch()
    count, mean, sigma = class_moments(features, labels, 4, ignore_index=2)
    assert count.tolist() == [int((labels == y).sum()) if y != 2 else 0 for y in range(4)]
    assert torch.equal(mean[2], torch.zeros(5, dtype=torch.float64))
    assert torch.equal(sigma[2], torch.zeros(5, dtype=torch.float64))


@pytest.mark.parametrize('covariance', KINDS)
def test_nothing_labelled_gives_zeros(covariance):
    features, labels = batch()
    empty = class_moments(features[:0], labels[:0], 4, covariance=covariance)
    assert_same_bits(class_moments(features, torch.full((60,), 255), 4, covariance=covariance, ignore_index=255), empty)


@pytest.mark.parametrize('covariance', KINDS)
@pytest.mark.parametrize(('given', 'kept'), [(torch.float16, torch.float32), (torch.bfloat16, torch.float32),
                                             (torch.float32, torch.float32), (torch.float64, torch.float64)])
def test_half_precision_is_raised_and_float64_stays(covariance, given, kept):
    features, labels = batch()
    features = (features / 10).to(given)
    actual = class_moments(features, labels, 4, covariance=covariance)
    assert (actual.count.dtype, actual.mean.dtype, actual.covariance.dtype) == (torch.int64, kept, kept)
    assert_same_bits(actual, class_moments(features.to(kept), labels, 4, covariance=covariance))


@pytest.mark.parametrize('covariance', KINDS)
def test_a_low_matmul_precision_does_not_lower_the_moments(covariance, low_matmul_precision):
    features, labels = batch(samples=1000, channels=32)
    expected = class_moments(features, labels, 4, covariance=covariance)
    actual = class_moments(features.float(), labels, 4, covariance=covariance)
    scale = float(expected.covariance.max())
    assert_close(actual.mean.double(), expected.mean, rtol=0, atol=1e-5)
    assert_close(actual.covariance.double(), expected.covariance, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize('covariance', KINDS)
def test_autocast_does_not_lower_the_moments(covariance):
    features, labels = batch()
    plain = class_moments(features.float(), labels, 4, covariance=covariance)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        cast = class_moments(features.float(), labels, 4, covariance=covariance)
        merged = merge(cast, cast)
    assert_same_bits(cast, plain)
    assert_close(merged.covariance, plain.covariance, rtol=1e-5, atol=1e-6)
    assert merged.covariance.dtype == torch.float32


@pytest.mark.parametrize('covariance', KINDS)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_images_equal_their_pixels_as_rows(covariance, dtype):
    features, labels = batch(samples=2 * 40 * 60)
    features, labels = features.to(dtype), labels.clone()
    labels[::5] = 255
    images = features.reshape(2, 40, 60, 5).permute(0, 3, 1, 2)
    for layout in (images, images.contiguous()):
        actual = class_moments(layout, labels.reshape(2, 40, 60), 4, covariance=covariance, ignore_index=255)
        expected = class_moments(features, labels, 4, covariance=covariance, ignore_index=255)
        tolerance = 1e-4 if dtype == torch.float32 else 1e-11
        assert_same_moments(actual, expected, rtol=tolerance, atol=tolerance)


def test_no_gradient_flows_through_the_moments():
    features, labels = batch()
    moments = class_moments(features.requires_grad_(), labels, 4)
    assert [t.requires_grad for t in moments] == [False, False, False]


@pytest.mark.parametrize(('bad', 'ignore_index'), [(4, None), (-1, None), (255, -1), (-100, 255), (7, 0)])
def test_a_label_outside_the_range_is_an_error_that_names_it(bad, ignore_index):
    features, labels = batch()
    labels[13] = bad
    with pytest.raises(ValueError, match=rf'(?<!\d){bad}(?!\d)'):
        class_moments(features, labels, 4, ignore_index=ignore_index)


def test_wrong_shapes_are_errors_with_the_actual_shape():
    features, labels = batch()
    with pytest.raises(ValueError, match='59'):
        class_moments(features, labels[:59], 4)
    with pytest.raises(ValueError, match=r'\(2, 30, 5\)'):
        class_moments(features.reshape(2, 30, 5), labels, 4)


def test_an_unknown_covariance_is_an_error_that_names_it():
    with pytest.raises(ValueError, match='banded'):
        class_moments(*batch(), 4, covariance='banded')
