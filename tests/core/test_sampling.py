"""Properties of Eq. 5, the loss of explicitly augmented features, which is also the Monte-Carlo oracle."""
from functools import partial

import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.problems import KINDS, loss_problem
from torch.testing import assert_close

from isda_seg.core import sampled_cross_entropy
from isda_seg.core.logit_sampling import logit_roots
from isda_seg.core.sampling import symmetric_eigen

problem = partial(loss_problem, num_classes=4, channels=3, samples=6)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def many_draws(features, labels, weight, bias, covariance, strength, num_samples=50_000):
    """sampled_cross_entropy of num_samples samples per row, most of them as copies of the row in one call."""
    copies = num_samples // 10
    return sampled_cross_entropy(features.repeat(copies, 1), labels.repeat(copies), weight, bias, covariance, strength,
                                 10, generator=seeded())


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('num_samples', [1, 7])
def test_covariance_zero_equals_plain_cross_entropy(kind, num_samples):
    features, labels, weight, bias, covariance = problem(kind)
    leaves = [t.requires_grad_() for t in (features, weight, bias)]
    sampled = sampled_cross_entropy(features, labels, weight, bias, torch.zeros_like(covariance), 2.0, num_samples)
    plain = F.cross_entropy(features @ weight.T + bias, labels)
    assert sampled.shape == ()
    assert_close(sampled, plain, rtol=1e-13, atol=1e-14)
    for actual, expected in zip(torch.autograd.grad(sampled, leaves), torch.autograd.grad(plain, leaves), strict=True):
        assert_close(actual, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize('kind', KINDS)
def test_strength_zero_equals_plain_cross_entropy(kind):
    features, labels, weight, bias, covariance = problem(kind)
    sampled = sampled_cross_entropy(features, labels, weight, bias, covariance, 0.0, 5)
    assert_close(sampled, F.cross_entropy(features @ weight.T + bias, labels), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('strength', [0.5, 3.0])
def test_the_sampled_loss_agrees_with_the_literal_sampler(kind, strength):
    features, labels, weight, bias, covariance = problem(kind)
    fast = many_draws(features, labels, weight, bias, covariance, strength)
    slow = reference.sampled_cross_entropy(features, labels, weight, bias, covariance, strength, 50_000, seeded(1))
    assert_close(fast, slow, rtol=0.01, atol=0)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('strength', [0.25, 4.0])
def test_two_classes_converge_to_the_expectation_by_quadrature(kind, strength):
    features, _, weight, bias, covariance = problem(kind, num_classes=2)
    for y in (0, 1):
        v = weight[1 - y] - weight[y]
        variance = strength * float(reference.quadratic_form(v, reference.of_class(covariance, y)))
        margin = float(features[0] @ v + bias[1 - y] - bias[y])
        expected = reference.expected_two_class_loss(margin, variance)
        actual = many_draws(features[:1], torch.tensor([y]), weight, bias, covariance, strength, 200_000)
        assert abs(actual - expected) <= 5 * variance ** 0.5 / 200_000 ** 0.5


@pytest.mark.parametrize('kind', ['diagonal', 'full', 'shared'])
def test_a_singular_covariance_moves_features_only_in_its_range(kind):
    features, labels, weight, bias, covariance = problem(kind)
    covariance = torch.zeros_like(covariance)
    covariance[..., 0] = 9.0
    if kind != 'diagonal':
        direction = torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64)
        covariance[:] = torch.outer(direction, direction)
    blind = weight.clone()
    blind[:, 0] = 1.5  # equal for all classes: the first channel does not change the softmax
    sampled = sampled_cross_entropy(features, labels, blind, bias, covariance, 1.0, 50, generator=seeded())
    assert_close(sampled, F.cross_entropy(features @ blind.T + bias, labels), rtol=1e-10, atol=1e-10)
    seeing = many_draws(features, labels, weight, bias, covariance, 1.0)
    slow = reference.sampled_cross_entropy(features, labels, weight, bias, covariance, 1.0, 50_000, seeded(1))
    assert_close(seeing, slow, rtol=0.02, atol=0)
    assert seeing > F.cross_entropy(features @ weight.T + bias, labels)


def test_a_rank_one_covariance_in_float32_equals_the_literal_sampler():
    features, labels, weight, bias, _ = (t.float() for t in problem())
    direction = torch.tensor([1.0, -2.0, 0.5])
    covariance = torch.outer(direction, direction).expand(4, 3, 3).contiguous()
    fast = many_draws(features, labels.long(), weight, bias, covariance, 1.0)
    slow = reference.sampled_cross_entropy(features.double(), labels.long(), weight.double(), bias.double(),
                                           covariance.double(), 1.0, 50_000, seeded(1))
    assert fast.dtype == torch.float32
    assert_close(fast.double(), slow, rtol=0.02, atol=0)


def test_full_with_a_diagonal_matrix_agrees_with_diagonal():
    features, labels, weight, bias, covariance = problem('diagonal')
    one = many_draws(features, labels, weight, bias, covariance, 1.0)
    two = many_draws(features, labels, weight, bias, torch.diag_embed(covariance), 1.0)
    assert_close(one, two, rtol=0.01, atol=0)


@pytest.mark.parametrize('kind', KINDS)
def test_bias_none_equals_bias_zero(kind):
    features, labels, weight, bias, covariance = problem(kind)
    without = sampled_cross_entropy(features, labels, weight, None, covariance, 1.0, 9, generator=seeded())
    zero = sampled_cross_entropy(features, labels, weight, torch.zeros_like(bias), covariance, 1.0, 9,
                                 generator=seeded())
    assert_close(without, zero, rtol=1e-13, atol=0)


@pytest.mark.parametrize('kind', KINDS)
def test_a_generator_makes_the_loss_reproducible(kind):
    arguments = (*problem(kind), 1.0, 11)
    state = torch.get_rng_state()
    one, same, other = (sampled_cross_entropy(*arguments, generator=seeded(s)) for s in (3, 3, 4))
    assert torch.equal(one, same)
    assert one != other
    assert torch.equal(torch.get_rng_state(), state)


def test_without_a_generator_the_global_seed_decides():
    arguments = (*problem(), 1.0, 11)
    losses = []
    with torch.random.fork_rng():
        for seed in (5, 5, 6):
            torch.manual_seed(seed)
            losses.append(sampled_cross_entropy(*arguments).item())
    assert losses[0] == losses[1] != losses[2]


def test_each_row_and_each_sample_has_independent_noise():
    features, labels, weight, bias, covariance = problem()
    same = features[:1].expand(40, -1), labels[:1].expand(40), weight, bias, covariance, 1.0
    one_draw = sampled_cross_entropy(*same, 500, generator=seeded())
    one_row = many_draws(features[:1], labels[:1], *same[2:])
    assert_close(one_draw, one_row, rtol=0.05, atol=0)
    few = [sampled_cross_entropy(*same, 1, generator=seeded(s)).item() for s in range(60)]
    single = [sampled_cross_entropy(features[:1], labels[:1], *same[2:], 1, generator=seeded(s)).item()
              for s in range(60)]
    assert torch.tensor(few).var() < torch.tensor(single).var() / 8


@pytest.mark.parametrize('kind', KINDS)
def test_gradients_equal_finite_differences(kind):
    features, labels, weight, bias, covariance = problem(kind)

    def loss(a, w, b):
        return sampled_cross_entropy(a, labels, w, b, covariance, 1.0, 3, generator=seeded())

    assert torch.autograd.gradcheck(loss, tuple(t.requires_grad_() for t in (features, weight, bias))) is True


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('given', 'kept'), [(torch.float16, torch.float32), (torch.bfloat16, torch.float32),
                                             (torch.float32, torch.float32), (torch.float64, torch.float64)])
def test_half_precision_is_raised_and_float64_stays(kind, given, kept):
    features, labels, weight, bias, covariance = problem(kind)
    tensors = [t.to(given) for t in (features, weight, bias, covariance)]
    raised = [t.to(kept) for t in tensors]
    loss = sampled_cross_entropy(tensors[0], labels, *tensors[1:], 1.0, 5, generator=seeded())
    assert loss.dtype == kept
    assert torch.equal(loss, sampled_cross_entropy(raised[0], labels, *raised[1:], 1.0, 5, generator=seeded()))


@pytest.mark.parametrize('strength', [-0.5, float('nan'), float('inf')])
def test_a_negative_or_non_finite_strength_is_an_error_that_names_it(strength):
    with pytest.raises(ValueError, match=str(strength)):
        sampled_cross_entropy(*problem(), strength, 3)


@pytest.mark.parametrize('bad', [4, -1, 255, -100])
def test_a_label_outside_the_range_is_an_error_that_names_it(bad):
    features, labels, weight, bias, covariance = problem()
    labels[2] = bad
    with pytest.raises(ValueError, match=rf'(?<!\d){bad}(?!\d)'):
        sampled_cross_entropy(features, labels, weight, bias, covariance, 1.0, 3)


@pytest.mark.parametrize('num_samples', [0, -2])
def test_no_samples_are_an_error_that_names_the_number(num_samples):
    with pytest.raises(ValueError, match=str(num_samples)):
        sampled_cross_entropy(*problem(), 1.0, num_samples)


@pytest.mark.parametrize(('which', 'shape', 'numbers'), [
    ('labels', (5,), '(?=.*6)(?=.*5)'), ('weight', (4, 8), '(?=.*3)(?=.*8)'), ('bias', (7,), '(?=.*4)(?=.*7)'),
    ('covariance', (4, 9), '(?=.*3)(?=.*9)'), ('covariance', (4, 9, 9), '(?=.*3)(?=.*9)'),
    ('covariance', (7, 3), '(?=.*4)(?=.*7)'), ('covariance', (3,), '3'), ('features', (6, 8), '(?=.*3)(?=.*8)'),
])
def test_wrong_shapes_are_errors_with_expected_and_actual_shape(which, shape, numbers):
    names = ('features', 'labels', 'weight', 'bias', 'covariance')
    arguments = dict(zip(names, problem(), strict=True))
    arguments[which] = torch.zeros(shape, dtype=arguments[which].dtype)
    with pytest.raises(ValueError, match=rf'(?s){numbers}'):
        sampled_cross_entropy(*arguments.values(), 1.0, 3)


def matrices():
    x = torch.randn(3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x @ x.mT


def test_a_failed_eigensolver_falls_back_to_the_cpu(monkeypatch):
    solver, asked = torch.linalg.eigh, []

    def gives_up_once(matrix):
        asked.append(matrix.device)
        if len(asked) == 1:
            raise torch.linalg.LinAlgError('the algorithm failed to converge')
        return solver(matrix)

    expected = solver(matrices())
    monkeypatch.setattr(torch.linalg, 'eigh', gives_up_once)
    assert_close(symmetric_eigen(matrices()), tuple(expected))
    assert len(asked) == 2


def test_only_non_finite_matrices_give_nan():
    broken = matrices()
    broken[1] = torch.nan
    values, vectors = symmetric_eigen(broken)
    expected = torch.linalg.eigh(matrices())
    for own, other in zip((values, vectors), expected, strict=True):
        assert own[1].isnan().all()
        assert_close(own[[0, 2]], other[[0, 2]])


def test_a_nan_weight_gives_nan_noise_instead_of_an_error():
    roots = logit_roots(torch.full((3, 5), torch.nan), torch.eye(5).expand(2, 5, 5))
    assert_close(roots, torch.full((2, 3, 3), torch.nan), equal_nan=True)
