"""Properties of the margin table T[y, c] = (w_c - w_y)^T Sigma_y (w_c - w_y)."""

import pytest
import reference
import torch
from helpers.problems import KINDS, margin_problem
from torch.testing import assert_close

from isda_seg.core import margin, margin_variance
from isda_seg.core.margin import label_margin_variance
from isda_seg.core.ops import device


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('num_classes', [2, 11, 19])
def test_table_and_gradient_equal_three_nested_loops(kind, num_classes):
    weight, covariance = margin_problem(kind, num_classes, channels=3)
    upstream = torch.randn(num_classes, num_classes, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    results = []
    for function in (margin_variance, reference.margin_variance):
        w = weight.clone().requires_grad_()
        table = function(w, covariance)
        results.append((table.detach(), *torch.autograd.grad((table * upstream).sum(), w)))
    assert results[0][0].shape == (num_classes, num_classes)
    assert_close(results[0][0], results[1][0], rtol=1e-12, atol=1e-12)
    assert_close(results[0][1], results[1][1], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('num_classes', [21, 150])
def test_table_equals_the_loops_for_many_classes(num_classes):
    weight, covariance = margin_problem('diagonal', num_classes, channels=2)
    assert_close(margin_variance(weight, covariance), reference.margin_variance(weight, covariance),
                 rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize('kind', KINDS)
def test_table_is_differentiable_in_the_weight(kind):
    weight, covariance = margin_problem(kind)
    assert torch.autograd.gradcheck(lambda w: margin_variance(w, covariance), (weight.requires_grad_(),)) is True


def test_full_with_a_diagonal_matrix_equals_diagonal():
    weight, covariance = margin_problem('diagonal')
    assert_close(margin_variance(weight, torch.diag_embed(covariance)), margin_variance(weight, covariance),
                 rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('kind', ['shared', 'identity'])
def test_a_leading_dimension_of_one_equals_a_copy_for_every_class(kind):
    weight, covariance = margin_problem(kind)
    copies = covariance.expand(5, *covariance.shape[1:]).contiguous()
    assert_close(margin_variance(weight, covariance), margin_variance(weight, copies), rtol=1e-12, atol=1e-12)


def test_identity_gives_squared_distances_of_the_weight_rows():
    weight, covariance = margin_problem('identity')
    assert_close(margin_variance(weight, covariance), torch.cdist(weight, weight) ** 2, rtol=1e-10, atol=1e-12)


def test_one_class_is_not_mistaken_for_a_shared_covariance():
    weight, _ = margin_problem('diagonal', num_classes=1)
    assert torch.equal(margin_variance(weight, torch.ones(1, 4, dtype=torch.float64)), torch.zeros(1, 1).double())


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('scale', [1e-3, 1.0, 1e3])
def test_diagonal_is_exactly_zero_and_nothing_is_negative(kind, scale):
    for seed in range(5):
        weight, covariance = margin_problem(kind, num_classes=19, channels=16, seed=seed)
        table = margin_variance(weight.float() * scale + scale, covariance.float())
        assert torch.equal(table.diagonal(), torch.zeros(19))
        assert (table >= 0).all()


@pytest.mark.parametrize('kind', KINDS)
def test_equal_weight_rows_have_no_margin_variance(kind):
    weight, covariance = margin_problem(kind, channels=8)
    weight = weight.float()
    weight[3] = weight[1]
    table = margin_variance(weight, covariance.float())
    assert (table >= 0).all()
    assert_close(table[[1, 3], [3, 1]], torch.zeros(2), rtol=0, atol=1e-5)


def test_the_row_is_the_true_class():
    weight = torch.tensor([[0.0, 0.0], [1.0, 2.0]], dtype=torch.float64)
    covariance = torch.tensor([[1.0, 10.0], [100.0, 1000.0]], dtype=torch.float64)
    assert margin_variance(weight, covariance).tolist() == [[0.0, 41.0], [4100.0, 0.0]]


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_a_class_with_covariance_zero_has_a_row_of_zeros(kind):
    weight, covariance = margin_problem(kind)
    covariance[2] = 0
    table = margin_variance(weight, covariance)
    assert torch.equal(table[2], torch.zeros(5, dtype=torch.float64))
    assert (table[:2].sum(1) > 0).all()


@pytest.mark.parametrize('kind', KINDS)
def test_a_common_offset_of_all_weight_rows_changes_nothing(kind):
    weight, covariance = margin_problem(kind)
    assert_close(margin_variance(weight + 7.0, covariance), margin_variance(weight, covariance), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('offset', [0.0, 0.5, -8.0])
def test_a_common_offset_does_not_cancel_in_float32(kind, offset):
    weight, covariance = margin_problem(kind, num_classes=19, channels=512 if kind in ('diagonal', 'identity') else 96)
    weight, covariance = (weight * 0.03 + offset).float(), covariance.float()
    exact = margin_variance(weight.double(), covariance.double())
    error = (margin_variance(weight, covariance).double() - exact).abs().max() / exact.max()
    assert error <= 1e-5


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('given', 'kept'), [(torch.float16, torch.float32), (torch.bfloat16, torch.float32),
                                             (torch.float32, torch.float32), (torch.float64, torch.float64)])
def test_half_precision_is_raised_and_float64_stays(kind, given, kept):
    weight, covariance = (t.to(given) for t in margin_problem(kind))
    table = margin_variance(weight, covariance)
    assert table.dtype == kept
    assert torch.equal(table, margin_variance(weight.to(kept), covariance.to(kept)))


@pytest.mark.parametrize('kind', KINDS)
def test_mixed_precision_is_promoted(kind):
    weight, covariance = margin_problem(kind)
    table = margin_variance(weight, covariance.float())
    assert table.dtype == torch.float64
    assert_close(table, reference.margin_variance(weight, covariance.float().double()), rtol=1e-12, atol=1e-12)
    assert margin_variance(weight.half(), covariance.float()).dtype == torch.float32


@pytest.mark.parametrize('kind', KINDS)
def test_a_low_matmul_precision_does_not_lower_the_table(kind, low_matmul_precision):
    weight, covariance = (t.float() for t in margin_problem(kind, num_classes=19, channels=64))
    exact = margin_variance(weight.double(), covariance.double())
    error = (margin_variance(weight, covariance).double() - exact).abs().max() / exact.max()
    assert error <= 1e-5


@pytest.mark.parametrize('kind', KINDS)
def test_autocast_does_not_lower_the_table(kind):
    weight, covariance = (t.float() for t in margin_problem(kind))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        table = margin_variance(weight, covariance)
    assert table.dtype == torch.float32
    assert torch.equal(table, margin_variance(weight, covariance))


def test_wrong_channels_are_an_error_that_names_both():
    weight, covariance = margin_problem('diagonal')
    with pytest.raises(ValueError, match=r'(?s)(?=.*\b4\b)(?=.*\b7\b)'):
        margin_variance(weight, torch.ones(5, 7, dtype=torch.float64))
    with pytest.raises(ValueError, match=r'(?s)(?=.*\b4\b)(?=.*\b7\b)'):
        margin_variance(weight, torch.ones(5, 7, 7, dtype=torch.float64))
    with pytest.raises(ValueError, match=r'(?s)(?=.*\b4\b)(?=.*\b7\b)'):
        margin_variance(weight, torch.ones(5, 4, 7, dtype=torch.float64))
    assert margin_variance(weight, covariance).shape == (5, 5)


@pytest.mark.parametrize('shape', [(3, 4), (6, 4), (3, 4, 4)])
def test_a_wrong_number_of_classes_is_an_error_that_names_both(shape):
    weight, _ = margin_problem()
    with pytest.raises(ValueError, match=rf'(?s)(?=.*\b5\b)(?=.*\b{shape[0]}\b)'):
        margin_variance(weight, torch.ones(shape, dtype=torch.float64))


@pytest.mark.parametrize('shape', [(4,), (5, 4, 4, 4)])
def test_a_covariance_that_is_neither_diagonal_nor_full_is_an_error(shape):
    weight, _ = margin_problem()
    with pytest.raises(ValueError, match=r'4'):
        margin_variance(weight, torch.ones(shape, dtype=torch.float64))


# -- both implementations, on a CPU and an accelerator -----------------------------------------------------------------

WAYS = {'differences': (1 << 60, ('cpu',)), 'squares': (0, ('cpu',)), 'differences on a device': (1 << 60, ()),
        'squares on a device': (0, ())}


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    limit, cpu_types = WAYS[request.param]
    monkeypatch.setattr(margin, 'DIFFERENCES', limit)
    monkeypatch.setattr(margin, 'DIFFERENCES_CPU', limit)
    monkeypatch.setattr(device, 'CPU_TYPES', cpu_types)


@pytest.mark.parametrize('kind', KINDS)
def test_every_implementation_equals_the_loops(way, kind):
    weight, covariance = margin_problem(kind, num_classes=7)
    labels = torch.tensor([4, 0, 4, 6, 1])
    upstream = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    results = []
    for function in (lambda w, c: label_margin_variance(w, c, labels), lambda w, c: margin_variance(w, c)[labels],
                     lambda w, c: reference.margin_variance(w, c)[labels]):
        w = weight.clone().requires_grad_()
        rows = function(w, covariance)
        results.append((rows.detach(), *torch.autograd.grad((rows * upstream).sum(), w)))
    for ours in results[:2]:
        assert_close(ours, results[2], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('kind', ['diagonal', 'full', 'identity'])
def test_every_implementation_has_first_and_second_derivatives(way, kind):
    weight, covariance = margin_problem(kind, num_classes=3, channels=2)
    inputs = weight.requires_grad_(), (covariance @ covariance.mT if kind == 'full' else covariance).requires_grad_()

    def symmetric(w, c):
        return margin_variance(w, (c + c.mT) / 2 if kind == 'full' else c)

    assert torch.autograd.gradcheck(symmetric, inputs) is True
    assert torch.autograd.gradgradcheck(symmetric, inputs) is True


def test_small_margins_of_distant_groups_are_precise(way):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 64, generator=generator) * 1e-2
    weight[4:] += 200
    covariance = torch.rand(8, 64, generator=generator) + 0.5
    table, exact = margin_variance(weight, covariance), reference.margin_variance(weight.double(), covariance.double())
    assert 0.005 < float(exact[0, 1]) < 0.05
    assert_close(table.double(), exact, rtol=1e-4, atol=0)


def test_an_infinite_covariance_does_not_change_other_rows(way):
    weight, covariance = margin_problem('diagonal')
    results = []
    for value in (float('inf'), 1.0):
        covariance[3] = value
        w = weight.clone().requires_grad_()
        table = margin_variance(w, covariance)
        results.append((table[:3].detach(), table[3, 3].detach(),
                        *torch.autograd.grad((table[:3] * table[:3].detach()).sum(), w)))
        assert bool(table.isfinite().all())
    assert_close(*results, rtol=1e-12, atol=1e-12)


def test_in_place_observations_before_backward_do_not_change_gradients(way):
    for kind in ('diagonal', 'full', 'shared'):
        weight, covariance = margin_problem(kind)
        results = []
        for change in (0.0, 1.0):
            w, own = weight.clone().requires_grad_(), covariance.clone()
            table = margin_variance(w, own)
            own += change
            results.append(torch.autograd.grad(table.sum(), w)[0])
        assert torch.equal(*results)


def test_a_second_derivative_after_a_later_observation_is_an_error():
    weight, covariance = margin_problem('full')
    table = margin_variance(weight.requires_grad_(), covariance)
    covariance += 1
    with pytest.raises(RuntimeError, match='compute the derivative before the next step'):
        torch.autograd.grad(table.sum(), weight, create_graph=True)
