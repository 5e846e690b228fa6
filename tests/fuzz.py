"""Random cases against the oracle: each function draws a case from a seed and compares values and gradients.

`helpers/fuzz_cases.py` lists what a case draws. `test_fuzz.py` runs cases with a small budget.
"""

import functools
import itertools
from functools import partial
from unittest import mock

import reference
import torch
import torch.nn.functional as F
from helpers.fuzz_cases import (
    BASES,
    DISTURBANCES,
    HANDOVERS,
    IGNORED,
    TOLERANCE,
    Case,
    Problem,
    check,
    draw_base,
    expected_loss,
    samples_of,
)
from helpers.problems import KINDS, covariance_of
from torch.nn.utils.parametrizations import weight_norm
from torch.testing import assert_close

from isda_seg.attachment.base_losses import MeanCrossEntropy, averaging_of
from isda_seg.core import (
    ClassMoments,
    ClassStatistics,
    augment_logits,
    class_moments,
    isda_consistency,
    isda_cross_entropy,
    margin_variance,
    merge,
    sampled_cross_entropy,
)
from isda_seg.core.logit_sampling import LogitNoise


def check_gradients(case, pairs, tolerance, **inputs):
    """Compare the gradients of a random linear combination of pairs of results with respect to pairs of inputs."""
    cotangents = [case.normal(*found.shape) for found, _ in pairs]
    for number in (0, 1):
        parts = [(pair[number] * cotangent.to(pair[number].dtype)).sum()
                 for pair, cotangent in zip(pairs, cotangents, strict=True) if pair[number].requires_grad]
        if parts:  # none in an empty batch
            torch.stack(parts).sum().backward()
    for name, (typed, exact) in inputs.items():
        if typed.requires_grad:
            found = typed.grad if typed.grad is None or typed.dim() == exact.dim() else samples_of(typed.grad)
            check(f'{name}.grad', found, torch.zeros_like(exact) if exact.grad is None else exact.grad, tolerance)


def of_kind(moments, kind, samples, labels, ignored):
    """The covariance of a kind, from full running moments; 'shared' from all samples of all batches."""
    if kind == 'identity':
        return torch.ones(1, moments[1].shape[1], dtype=torch.float64)
    if kind == 'shared':
        kept = samples[labels != ignored]
        return reference.shared_covariance(kept) if len(kept) else moments[2][:1] * 0
    return moments[2] if kind == 'full' else reference.diagonal(moments[2])


def moments_of(seen, problem):
    """Count, mean, and the covariance of the drawn kind, of all rows and labels, or probabilities, seen so far."""
    rows, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
    if not problem.soft:
        batches = (reference.batch_moments(*one, problem.classes, problem.ignored) for one in seen)
        count, mean, full = functools.reduce(reference.running_moments, batches)
        return count, mean, of_kind((count, mean, full), problem.covariance, rows, labels, problem.ignored)
    moments = reference.soft_moments(rows, labels)
    sigma = reference.soft_moments(rows, labels.sum(dim=1, keepdim=True))[2] if problem.covariance == 'shared' else \
        of_kind(moments, problem.covariance, rows, labels, None)
    return *moments[:2], sigma


def sampled_rows(noise, labels, kept, weight, sigma, strength):
    """One sample of the logits' noise, (N, C), from the random numbers that LogitNoise takes next.

    Its gradient is that of features with the conditional expectation of their noise given the noise of the logits.
    """
    rows, alike = torch.zeros(len(labels), len(weight), dtype=torch.float64), labels * (len(sigma) > 1)
    for root, y in zip(noise.roots.detach(), alike[kept].unique(), strict=True):
        covariance = torch.diag(sigma[y]) if sigma.dim() == 2 else sigma[y]
        of_features = covariance @ weight.detach().t()
        of_logits = weight.detach() @ of_features
        check('root of the covariance of logits', root.double() @ root.double().t(), of_logits, 1e-5)
        members = kept & (alike == y)
        sample = torch.randn(1, int(members.sum()), root.shape[1], dtype=root.dtype)[0].double() @ root.double().t()
        inverse = torch.linalg.pinv(of_logits, rtol=len(weight) * torch.finfo(root.dtype).eps, hermitian=True)
        moved = sample @ inverse @ of_features.t()
        rows[members] = strength ** 0.5 * (sample + moved @ (weight - weight.detach()).t())
    return rows


def added_rows(problem, noise, places, weight, sigma, strength):
    """What the loss adds to the logits, in order of its samples: rows of the table, or samples of the noise."""
    kept = (places != problem.ignored) & (places != problem.background)
    if noise:
        for _ in range(problem.samples):
            yield sampled_rows(noise[0], places, kept, weight, sigma, strength)
    else:
        table = reference.margin_variance(weight, sigma)
        yield strength / 2 * torch.where(kept[:, None], table[places.clamp(0, len(weight) - 1)], 0)


def criterion(case, soft=False):
    """ISDACriterion over several steps: loss, gradients of logits and inputs, counts, means, covariances."""
    problem = Problem(case, soft)
    layer, loss, seen, pairs, inputs = problem.layer, problem.loss(problem.layer), [], [], {}
    weight, steps, together = None, case.size('steps', 1, 3), case.pick('one_backward', False, True)
    spread = 1 + problem.scale + problem.shift
    tolerance = TOLERANCE[torch.bfloat16 if problem.half else torch.float32 if problem.samples else problem.widest()]
    for step in range(steps):
        strength = problem.strength if not problem.calls else \
            reference.linear_ramp(step // problem.calls + 1, 3, problem.strength)
        features, typed, labels = problem.batch()
        exact = features.detach().double().clone().requires_grad_()
        if weight is None:
            weight, bias = (None if each is None else each.detach().double().requires_grad_()
                            for each in (layer.weight, layer.bias))
            inputs = dict(weight=(layer.weight, weight))
            inputs |= {} if bias is None else dict(bias=(layer.bias, bias))
        given, noise = problem.logits(layer, features), []
        given.retain_grad()
        flat = weight.flatten(1)
        plain = problem.upsampled(problem.rows(exact) @ flat.t() + (0 if bias is None else bias))
        plain = plain + (samples_of(given.detach()).double() - plain.detach())  # of the same value
        plain.retain_grad()
        with mock.patch('isda_seg.core.logit_sampling.LogitNoise',
                        lambda *args, noise=noise, **kwargs: noise.append(LogitNoise(*args, **kwargs)) or noise[-1]):
            torch.manual_seed(step)
            found = problem.call(loss, given, typed)

        on_grid, in_rows = problem.on_grid(labels), samples_of if soft else torch.flatten
        seen.append((problem.rows(exact.detach()), in_rows(on_grid)))
        count, mean, sigma = moments_of(seen, problem)
        check(f'step {step}: count', loss.statistics.count, count, 1e-5)
        check(f'step {step}: mean', loss.statistics.mean, mean, 5e-4 * spread)
        check(f'step {step}: covariance', loss.statistics.covariance, sigma, 5e-4 * spread)
        assert abs(loss.strength - strength) < 1e-12, f'strength {loss.strength}, expected {strength}'
        prior = problem.tau * (count.clamp(min=1).double() / count.clamp(min=1).sum()).log()
        labels, reduction = in_rows(labels), problem.reduction['reduction']
        if soft:
            table, every = reference.margin_variance(flat, sigma), torch.ones(len(labels), dtype=torch.bool)
            expected = sum(labels[:, y] * expected_loss(
                plain + prior + strength / 2 * table[y], torch.full((len(labels),), y), every,
                **dict(problem.reduction, reduction='none')) for y in range(problem.classes))
            number = 1 if reduction == 'sum' else max(1, len(labels))
            expected = expected if reduction == 'none' else expected.sum() / number
        else:
            kept = labels != problem.ignored
            sparse = problem.resolution == 'feature'
            if noise and torch.linalg.cond(flat.detach()) > 100:  # rounding decides about small eigenvalues
                inputs.pop('weight', None)
            torch.manual_seed(step)
            sigma = loss.statistics.covariance.double() if noise else sigma
            rows = added_rows(problem, noise, seen[-1][1] if sparse else labels, flat, sigma, strength)
            values = [expected_loss(plain + prior + (problem.upsampled(one) if sparse else one), labels, kept,
                                    **problem.reduction) for one in rows]
            expected = torch.stack(values).mean(dim=0)
        expected = expected.view(found.shape)
        if soft or kept.any() or reduction != 'mean':  # the mean of no sample is NaN in torch
            check(f'step {step}: loss', found, expected, TOLERANCE[problem.widest()] * spread)
            pairs.append((found, expected))
            inputs |= {f'step {step}: features': (features, exact), f'step {step}: logits': (given, plain)}
        if not together or step == steps - 1:
            check_gradients(case, pairs, tolerance * spread, **inputs)
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.grad = None
                    parameter.add_(case.normal(*parameter.shape).to(problem.dtype), alpha=0.1)
            pairs, inputs, weight = [], {}, None
    loss.raise_deferred_errors()


def bits(case):
    """A run that continues with a copy of its criterion has the bits of the whole run; without ISDA, of the base.

    Evaluations, refused calls and passes without gradients change nothing.
    """
    problem = Problem(case, case.pick('soft', False, False, True))
    batches = [problem.batch()[:2] for _ in range(case.size('steps', 1, 4))]
    way, step = case.pick('handover', *HANDOVERS), case.size('handed_over_at', 0, len(batches) - 1)
    if problem.frozen != 'weight' and way != 'pickle' and case.pick('weight_norm', False, False, True):
        weight_norm(problem.layer)
    whole = run_of(problem, batches)
    assert_same(run_of(problem, batches, way, step, case.pick('disturbance', *DISTURBANCES)), whole)
    empty = problem.soft and len(batches[0][0]) == 0  # the mean of no sample is NaN in torch
    if not problem.strength and not problem.tau and not empty:
        for found, expected in zip(whole, run_of(problem, batches, 'plain'), strict=True):
            assert_same(found[:len(expected)], expected)


def assert_same(found, expected):
    """The same bits."""
    assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def run_of(problem, batches, way=None, at=0, disturbance=None):
    """The loss and the gradients of each step, and without way 'plain' (the base loss alone) the moments."""
    layer, results = problem.new_layer(), []
    loss = problem.loss(layer)
    for step, (features, labels) in enumerate(batches):
        if way in HANDOVERS and step == at:
            layer, loss = problem.hand_over(way, layer, loss, features, labels)
        features = features.detach().requires_grad_(features.requires_grad)
        if disturbance == 'unused pass':
            problem.logits(layer, features + 1)
        logits = problem.logits(layer, features)
        problem.disturb(disturbance, layer, loss, features, logits, labels)
        torch.manual_seed(step)
        value = problem.plain(layer, logits, labels) if way == 'plain' else problem.call(loss, logits, labels)
        inputs = [each for each in (*layer.parameters(), features) if each.requires_grad]
        gradients = torch.autograd.grad(value.sum(), inputs, allow_unused=True, materialize_grads=True)
        results.append([value, *gradients, *(() if way == 'plain' else loss.statistics.moments)])
        with torch.no_grad():
            for parameter, gradient in zip(inputs, gradients, strict=True):
                if parameter is not features:
                    parameter.sub_(gradient.nan_to_num(0.0, 0.0, 0.0), alpha=0.1)
    return results


def functional(case):
    """isda_cross_entropy, augment_logits, margin_variance and isda_consistency with a given covariance."""
    dtype, classes = case.pick('dtype', torch.float32, torch.float64, torch.float64), case.size('classes', 2, 7)
    channels, kind = case.size('channels', 1, 5), case.pick('covariance', *KINDS)
    weight, sigma = case.normal(classes, channels), covariance_of(kind, classes, channels, case.torch)
    shape = case.pick('shape', (17,), (1,), (0,), (2, 5), (1, 3, 4), (0, 3, 4), (3, 1, 6), (2, 2, 2, 3))
    ignored = case.pick('ignore_index', *IGNORED)
    typed, labels = case.labels(shape, classes, ignored)
    strength, reduction = case.pick('strength', 0.0, 0.5, 7.5), case.pick('reduction', 'mean', 'sum', 'none')
    logits = case.normal(shape[0], classes, *shape[1:]) * case.pick('scale', 1.0, 5.0)
    adjustment = case.pick('adjusted', None, 'adjusted') and case.normal(classes)
    tolerance = TOLERANCE[dtype] * 2
    weight, sigma, logits = weight.to(dtype), sigma.to(dtype), logits.to(dtype)
    exact = [each.double().requires_grad_() for each in (weight, logits)]
    weight, logits = (case.laid_out(f'{name}_layout', each).detach().requires_grad_()
                      for name, each in (('weight', weight), ('logits', logits)))
    sigma, literal = case.laid_out('covariance_layout', sigma), sigma.double()
    table = reference.margin_variance(exact[0], literal)
    check('margin_variance', margin_variance(weight, sigma), table, tolerance)
    added = torch.where((labels != ignored)[..., None], table[labels.clamp(0, classes - 1)], 0).movedim(-1, 1)
    check('augment_logits', augment_logits(logits, typed, table.detach().to(dtype), strength, ignore_index=ignored),
          exact[1] + strength / 2 * added, tolerance)
    kept = (labels != ignored).flatten()
    flat = samples_of(exact[1])
    flat = flat if adjustment is None else flat + adjustment
    rows = reference.penalised_logits(flat, labels.flatten().clamp(0, classes - 1), exact[0], literal, strength) \
        if len(flat) else flat
    rows = torch.where(kept[:, None], rows, flat)
    expected = expected_loss(rows, labels.flatten(), kept, 'labelled' if reduction == 'mean' else reduction)
    expected = expected.view(shape) if reduction == 'none' else expected
    found = isda_cross_entropy(logits, typed, weight, sigma, strength, ignore_index=ignored, reduction=reduction,
                               adjustment=None if adjustment is None else adjustment.to(dtype))
    check('isda_cross_entropy', found, expected, tolerance)
    check_gradients(case, [(found, expected)], tolerance, weight=(weight, exact[0]), logits=(logits, exact[1]))
    samples = case.size('unlabelled', 1, 5)
    logits = case.normal(samples, classes)
    targets = torch.softmax(case.normal(samples, classes), dim=1)
    check('isda_consistency', isda_consistency(logits.to(dtype), weight.detach(), sigma, strength,
                                               targets=targets.to(dtype), reduction='none'),
          reference.isda_consistency(logits.to(dtype).double(), exact[0].detach(), literal, strength,
                                     targets.to(dtype).double()), tolerance * 10)
    if kind in ('diagonal', 'identity'):
        number, features = case.size('samples', 1, 3), case.normal(samples, channels).to(dtype)
        typed, labels = case.labels((samples,), classes, 0)
        found = sampled_cross_entropy(features, typed, weight, None, sigma, strength, number,
                                      generator=torch.Generator().manual_seed(samples))
        generator, expected = torch.Generator().manual_seed(samples), []
        root = (strength * literal.expand(classes, channels)[labels]).sqrt()
        for _ in range(number):
            noise = torch.randn(samples, channels, dtype=dtype, generator=generator)
            expected.append(expected_loss((features.double() + root * noise.double()) @ exact[0].t(), labels,
                                          torch.ones(samples, dtype=torch.bool), 'labelled'))
        weight.grad = exact[0].grad = None
        expected = torch.stack(expected).mean()
        check('sampled_cross_entropy', found, expected, tolerance)
        check_gradients(case, [(found, expected)], tolerance, weight=(weight, exact[0]))


def moments(case):
    """class_moments, merge and ClassStatistics over random splits of features with any layout and label type."""
    dtype, classes = case.pick('dtype', torch.float32, torch.float64), case.size('classes', 2, 8)
    channels, kind = case.size('channels', 1, 6), case.pick('covariance', *KINDS)
    statistics = ClassStatistics(classes, channels, kind)
    parts, full, seen, dropped = [], None, [], 0
    shift, broken = case.pick('shift', 0.0, 3.0, 30.0, 1000.0), case.pick('broken', None, None, torch.inf, torch.nan)
    case.chosen['shapes'], ignored = [], case.pick('ignore_index', *IGNORED)
    for _ in range(case.size('batches', 1, 4)):
        shape = case.python.choice([(0,), (1,), (13,), (60,), (1, 4, 5), (2, 3, 3), (3, 1, 7)])
        case.chosen['shapes'].append(shape)
        typed, labels = case.labels(shape, classes, ignored)
        features = (case.normal(shape[0], channels, *shape[1:]) + shift).to(dtype)
        rows, kept = samples_of(features), torch.ones(labels.numel(), dtype=torch.bool)
        if broken:
            kept = torch.rand(labels.shape, generator=case.torch) > 0.2
            entry = torch.arange(channels) == case.python.randrange(channels)
            features = features.masked_fill(~kept[:, None] & entry.view(-1, *[1] * (labels.dim() - 1)), broken)
            kept = kept.flatten()
            dropped += int((~kept & (labels.flatten() != ignored)).sum())
        statistics.observe(case.laid_out('layout', features), typed, ignored)
        rows, labels = rows[kept], labels.flatten()[kept]
        batch = reference.batch_moments(rows, labels, classes, ignored)
        full = batch if full is None else reference.running_moments(full, batch)
        seen.append((rows.double(), labels))
        if kind in ('diagonal', 'full'):
            flat = typed.flatten()[kept]
            parts.append(class_moments(case.laid_out('rows_layout', rows), flat, classes, covariance=kind,
                                       ignore_index=ignored))
    sigma = of_kind(full, kind, *(torch.cat(each) for each in zip(*seen, strict=True)), ignored)
    assert int(statistics.dropped) == dropped, f'dropped {int(statistics.dropped)}, expected {dropped}'
    for name, found in (('statistics', statistics.moments), ('merge', merge(*parts) if parts else None)):
        if found is None:
            continue
        assert isinstance(found, ClassMoments)
        if kind != 'identity':
            assert found.count.tolist() == full[0].tolist(), f'{name}: counts {found.count.tolist()}'
            check(f'{name}: mean', found.mean, full[1], 1e-5)
        check(f'{name}: covariance', found.covariance, sigma, 1e-4)


def soft(case):
    """isda_cross_entropy of class probabilities, and statistics weighted by them, for any number of dimensions."""
    dtype, classes = case.pick('dtype', torch.float32, torch.float64), case.size('classes', 2, 6)
    channels, kind = case.size('channels', 1, 5), case.pick('covariance', *KINDS)
    shape = case.pick('shape', (17,), (1,), (2, 5), (1, 3, 4), (2, 2, 2, 3))
    targets = torch.rand(shape[0], classes, *shape[1:], dtype=torch.float64, generator=case.torch)
    zeros = torch.rand(targets.shape, generator=case.torch) < case.pick('zeros', 0.0, 0.5, 0.9)
    targets = targets.masked_fill(zeros, 0)
    if case.pick('normalised', True, False):
        targets = targets / targets.sum(dim=1, keepdim=True).clamp(min=1e-6)
    targets = targets.to(dtype)
    strength, reduction = case.pick('strength', 0.0, 0.5, 7.5), case.pick('reduction', 'mean', 'sum', 'none')
    weight, sigma = case.normal(classes, channels).to(dtype), covariance_of(kind, classes, channels, case.torch)
    logits, sigma = case.normal(*targets.shape).to(dtype) * case.pick('scale', 1.0, 5.0), sigma.to(dtype)
    exact = [each.double().requires_grad_() for each in (weight, logits)]
    weight, logits = (case.laid_out(f'{name}_layout', each).detach().requires_grad_()
                      for name, each in (('weight', weight), ('logits', logits)))
    rows = (samples_of(each) for each in (exact[1], targets.double()))
    expected = reference.soft_isda_cross_entropy(*rows, exact[0], sigma.double(), strength)
    expected = expected.view(shape) if reduction == 'none' else \
        expected.sum() / (expected.numel() if reduction == 'mean' else 1)
    found = isda_cross_entropy(logits, case.laid_out('target_layout', targets), weight, sigma, strength,
                               reduction=reduction)
    tolerance = TOLERANCE[dtype] * 2
    check('loss', found, expected, tolerance)
    check_gradients(case, [(found, expected)], tolerance, weight=(weight, exact[0]), logits=(logits, exact[1]))
    features = (case.normal(shape[0], channels, *shape[1:]) + case.pick('shift', 0.0, 3.0)).to(dtype)
    count, mean, full = reference.soft_moments(*(samples_of(each) for each in (features.double(), targets.double())))
    statistics = ClassStatistics(classes, channels, kind)
    statistics.observe(case.laid_out('layout', features), targets)
    check('count', statistics.count, count, 1e-6)
    check('mean', statistics.mean, mean, 1e-4)
    if kind in ('diagonal', 'full'):
        check('covariance', statistics.covariance, full if kind == 'full' else reference.diagonal(full), 1e-4)


def base_means(case):
    """The mean that a base loss is equals its definition, in value and gradient."""
    classes, ignored = case.size('classes', 2, 6), case.pick('ignore_index', *IGNORED)
    typed, labels = case.labels(case.pick('shape', (17,), (1,), (0,), (2, 5), (0, 3, 4), (2, 3, 4)), classes, ignored)
    base, reduction = draw_base(case, case.pick('base', *BASES), classes, ignored, torch.float64)
    mean = averaging_of(base or MeanCrossEntropy(), typed, {})
    kept = (labels != ignored).flatten()
    if mean is None or reduction['reduction'] == 'mean' and not kept.any():  # the mean of no sample is NaN in torch
        return
    logits = (case.normal(len(labels), classes, *labels.shape[1:]) * case.pick('scale', 1.0, 5.0)).requires_grad_()
    exact = logits.detach().clone().requires_grad_()
    found = mean.of(F.cross_entropy(logits, labels, ignore_index=ignored, reduction='none'), typed, ignored)
    expected = expected_loss(samples_of(exact), labels.flatten(), kept, **reduction)
    check('mean', found, expected, 1e-6)
    check_gradients(case, [(found, expected)], 1e-6, logits=(logits, exact))


FAMILIES = dict(criterion=criterion, soft_criterion=partial(criterion, soft=True), bits=bits, functional=functional,
                moments=moments, soft=soft, base_means=base_means)


def failure_of(family, seed):
    """Run one case: None, or the message of a failure with the choices and the seed."""
    case = Case(seed)
    try:
        with case.small_blocks(), torch.backends.mkldnn.flags(enabled=False):  # its bfloat16 convolutions fail with AMX
            FAMILIES[family](case)
    except Exception as error:  # any exception of a valid case is a failure
        return f'{family} seed {seed}: {type(error).__name__}: {error}\n    {case.chosen}'
    return None


def run(family, first, enough, most_failures=20):
    """Run cases of increasing seeds until `enough(cases)`; return the number of cases and the failures."""
    failures = []
    for cases, seed in enumerate(itertools.count(first)):
        if enough(cases) or len(failures) >= most_failures:
            return cases, failures
        failure = failure_of(family, seed)
        failures += [failure] if failure else []
