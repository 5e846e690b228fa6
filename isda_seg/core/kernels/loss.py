"""Triton kernels of the cross-entropy of ``logits + rows[label]``, and of its gradients (Eq. 7)."""
import triton
import triton.language as tl

from isda_seg.core.kernels.moments import LEAST, MOST, class_of

FREE = ['pixels', 'tiles', 'tiles_per_image', 'tiles_per_program', 'factor', 'tolerance', 'weight_size', 'gamma',
        'least']


@triton.jit
def _augmented(logits, rows, pixel, row, logit_pixel, logit_class, valid, c, classes):
    """Return logits with the added rows, for some pixels and classes; minus infinity outside them."""
    inside = valid[:, None] & (c < classes)[None, :]
    z = tl.load(logits + (pixel * logit_pixel)[:, None] + (c * logit_class)[None, :], mask=inside,
                other=float('-inf')).to(tl.float32)
    return z + tl.load(rows + row[:, None] + c[None, :], mask=inside, other=0)


@triton.jit
def _softmax_parts(logits, rows, pixel, row, logit_pixel, logit_class, valid, label, classes,
                   PIXELS: tl.constexpr, CLASSES: tl.constexpr):
    """Return the largest augmented logit, the sum of exponentials relative to it, and the true class's logit."""
    highest = tl.full([PIXELS], float('-inf'), tl.float32)
    total = tl.zeros([PIXELS], tl.float32)
    true_logit = tl.zeros([PIXELS], tl.float32)
    for first in range(0, classes, CLASSES):
        c = first + tl.arange(0, CLASSES)
        z = _augmented(logits, rows, pixel, row, logit_pixel, logit_class, valid, c, classes)
        higher = tl.maximum(highest, tl.max(z, axis=1))
        origin = tl.where(higher == float('-inf'), 0.0, higher)
        total = total * tl.exp(highest - origin) + tl.sum(tl.exp(z - origin[:, None]), axis=1)
        highest = higher
        true_logit += tl.sum(tl.where(c[None, :] == label[:, None], z, 0.0), axis=1)
    return tl.where(valid, highest, 0.0), tl.where(valid, total, 1.0), true_logit


@triton.jit
def _focal(entropy, gamma):
    """Return ``(1 - p)^gamma l`` for cross-entropies l = -log p, and its derivative."""
    series = 1 - entropy / 4 * (1 - entropy / 5 * (1 - entropy / 6))
    series = entropy * (1 - entropy / 2 * (1 - entropy / 3 * series))
    wrong = tl.maximum(tl.where(entropy < 0.25, series, 1 - tl.exp(-entropy)), 1.1920929e-07)  # 1 - p
    power = tl.exp(gamma * tl.log(wrong))
    return power * entropy, power + gamma * power / wrong * tl.exp(-entropy) * entropy


@triton.jit
def note_checks(checks, programs, worst, tolerance, weight_size, CHECKS: tl.constexpr):
    """Keep the worst comparison of ``checks`` (``grid_kernel``); above 1, the logits are of another forward pass."""
    check = tl.arange(0, CHECKS)
    done = check < programs
    error = tl.max(tl.load(checks + check * 4, mask=done, other=0))
    largest = tl.max(tl.load(checks + check * 4 + 1, mask=done, other=0))
    squared = tl.sum(tl.load(checks + check * 4 + 2, mask=done, other=0))
    norm = tl.max(tl.load(checks + check * 4 + 3, mask=done, other=0))
    excess = error / (tolerance * (largest + tl.sqrt(norm) * tl.sqrt(squared / weight_size)) + 1.1754944e-38)
    before = tl.load(worst)
    tl.store(worst, tl.where(excess > before, excess, before))  # not NaN, an overflow in half precision


@triton.jit(do_not_specialize=FREE)
def loss_kernel(logits, labels, rows, class_weight, loss, scale, sums, weights, extremes, worst, arrived, checks,
                factor, tolerance, weight_size, gamma, least, pixels, tiles, tiles_per_image, tiles_per_program,
                classes, ignore_index, check_programs, logit_image, logit_class, logit_pixel, label_image,
                MEAN: tl.constexpr, WEIGHTED: tl.constexpr, BY_WEIGHT: tl.constexpr, FOCAL: tl.constexpr,
                BY_SAMPLE: tl.constexpr, PIXELS: tl.constexpr, CLASSES: tl.constexpr, PROGRAMS: tl.constexpr,
                CHECKS: tl.constexpr):
    """Compute ``factor`` times the summed loss of labelled pixels, for a mean divided by their number or weights.

    ``sums`` and ``weights`` hold the partial results of the programs. The last program to arrive adds them in a fixed
    order. ``extremes`` keeps the smallest and the largest label outside the classes.
    """
    program = tl.program_id(0)
    total = tl.zeros([PIXELS], tl.float32)
    found = tl.zeros([PIXELS], tl.float32)
    least_label = tl.full([PIXELS], MOST, tl.int32)
    most_label = tl.full([PIXELS], LEAST, tl.int32)
    for tile in range(program * tiles_per_program, tl.minimum((program + 1) * tiles_per_program, tiles)):
        image = (tile // tiles_per_image).to(tl.int64)
        pixel = (tile % tiles_per_image) * PIXELS + tl.arange(0, PIXELS)
        label, valid, bad = class_of(labels + image * label_image + pixel, pixel < pixels, classes, ignore_index)
        least_label = tl.minimum(least_label, tl.where(bad, label, MOST))
        most_label = tl.maximum(most_label, tl.where(bad, label, LEAST))
        label = tl.where(valid, label, 0)
        row = (pixel if BY_SAMPLE else label) * classes
        highest, summed, true_logit = _softmax_parts(logits + image * logit_image, rows, pixel, row, logit_pixel,
                                                     logit_class, valid, label, classes, PIXELS, CLASSES)
        each = tl.where(valid, tl.log(summed) + (highest - true_logit), 0.0)
        if FOCAL:
            each, _ = _focal(each, gamma)
        weight = valid.to(tl.float32)
        if WEIGHTED:
            own = tl.load(class_weight + label).to(tl.float32)
            each *= own
            if BY_WEIGHT:
                weight *= own
        total += each
        found += weight
    tl.atomic_min(extremes, tl.min(least_label), sem='relaxed')
    tl.atomic_max(extremes + 1, tl.max(most_label), sem='relaxed')
    tl.store(sums + program, tl.sum(total))
    tl.store(weights + program, tl.sum(found))
    tl.debug_barrier()
    programs = tl.num_programs(0)
    if tl.atomic_add(arrived, 1, sem='acq_rel') == programs - 1:
        part = tl.arange(0, PROGRAMS)
        every = tl.sum(tl.load(sums + part, mask=part < programs, other=0, cache_modifier='.cg').to(tl.float64))
        quotient = programs.to(tl.float64) * 0 + factor
        if MEAN:
            weight = tl.sum(tl.load(weights + part, mask=part < programs, other=0, cache_modifier='.cg').to(tl.float64))
            quotient = factor / tl.maximum(weight, least)
        tl.store(loss, (every * quotient).to(tl.float32))
        tl.store(scale, quotient.to(tl.float32))
        tl.store(arrived, 0)
        note_checks(checks, check_programs, worst, tolerance, weight_size, CHECKS)


@triton.jit
def clear_columns(present, program, classes, CLASSES: tl.constexpr):
    """Note that the sums of a program have no value yet."""
    for first in range(0, classes, CLASSES):
        c = first + tl.arange(0, CLASSES)
        tl.store(present + program * classes + c, tl.zeros([CLASSES], tl.int32), mask=c < classes)
    tl.debug_barrier()


@triton.jit
def add_by_class(values, label, valid, sums, present, program, first, classes, CLASSES: tl.constexpr):
    """Add the values (PIXELS, CLASSES) of a tile, from class ``first`` on, to the row of each pixel's class."""
    c = first + tl.arange(0, CLASSES)
    rest = tl.where(valid, label, classes)
    current = tl.min(rest)
    while current < classes:  # a tile has pixels of few classes
        member = rest == current
        part = tl.sum(tl.where(member[:, None], values, 0.0), axis=0)
        to = sums + (program * classes + current).to(tl.int64) * classes + c
        columns = tl.load(present + program * classes + current)
        part += tl.load(to, mask=(c < classes) & ((c * 0 + columns) > first), other=0)
        tl.debug_barrier()
        tl.store(to, part, mask=c < classes)
        tl.debug_barrier()
        tl.store(present + program * classes + current, tl.maximum(columns, tl.minimum(first + CLASSES, classes)))
        tl.debug_barrier()
        rest = tl.where(member, classes, rest)
        current = tl.min(rest)


@triton.jit(do_not_specialize=FREE)
def gradient_kernel(logits, labels, rows, class_weight, grad_output, scale, gradient, sums, present, gamma, pixels,
                    tiles, tiles_per_image, tiles_per_program, classes, ignore_index, logit_image, logit_class,
                    logit_pixel, gradient_image, gradient_class, gradient_pixel, label_image,
                    WEIGHTED: tl.constexpr, FOCAL: tl.constexpr, BY_SAMPLE: tl.constexpr, PIXELS: tl.constexpr,
                    CLASSES: tl.constexpr):
    """Compute the gradient with respect to the logits, and each program's sum of it over the pixels of each class.

    With BY_SAMPLE, each sample has its own row, and ``sums`` is (samples, classes), the gradient of the rows. Otherwise
    ``sums`` is (programs, classes, classes). ``present`` is the number of columns that hold a value, for each class.
    """
    program = tl.program_id(0)
    if not BY_SAMPLE:
        clear_columns(present, program, classes, CLASSES)
    factor = tl.load(grad_output).to(tl.float32) * tl.load(scale)
    for tile in range(program * tiles_per_program, tl.minimum((program + 1) * tiles_per_program, tiles)):
        image = (tile // tiles_per_image).to(tl.int64)
        pixel = (tile % tiles_per_image) * PIXELS + tl.arange(0, PIXELS)
        inside = pixel < pixels
        label, valid, _ = class_of(labels + image * label_image + pixel, inside, classes, ignore_index)
        own = tl.where(valid, label, 0)
        row = (pixel if BY_SAMPLE else own) * classes
        highest, summed, true_logit = _softmax_parts(logits + image * logit_image, rows, pixel, row, logit_pixel,
                                                     logit_class, valid, own, classes, PIXELS, CLASSES)
        each = tl.zeros([PIXELS], tl.float32) + factor
        if FOCAL:
            _, slope = _focal(tl.where(valid, tl.log(summed) + (highest - true_logit), 0.0), gamma)
            each *= slope
        for first in range(0, classes, CLASSES):
            c = first + tl.arange(0, CLASSES)
            known = c < classes
            z = _augmented(logits + image * logit_image, rows, pixel, row, logit_pixel, logit_class, valid, c, classes)
            g = tl.exp(z - highest[:, None]) / summed[:, None] - (c[None, :] == own[:, None]).to(tl.float32)
            g = tl.where(valid[:, None] & known[None, :], g * each[:, None], 0.0)
            if WEIGHTED:
                g *= tl.load(class_weight + own).to(tl.float32)[:, None]
            tl.store(gradient + image * gradient_image + (pixel * gradient_pixel)[:, None]
                     + (c * gradient_class)[None, :], g.to(gradient.dtype.element_ty),
                     mask=inside[:, None] & known[None, :])
            if BY_SAMPLE:
                tl.store(sums + row[:, None] + c[None, :], g, mask=inside[:, None] & known[None, :])
            else:
                add_by_class(g, own, valid, sums, present, program, first, classes, CLASSES)


@triton.jit(do_not_specialize=['programs'])
def sum_kernel(sums, present, total, programs, classes, PROGRAMS: tl.constexpr, CLASSES: tl.constexpr):
    """Add the sums of all programs in a fixed order: ``total`` (classes, classes)."""
    y = tl.program_id(0)
    c = tl.program_id(1) * CLASSES + tl.arange(0, CLASSES)
    partial = tl.zeros([PROGRAMS, CLASSES], tl.float32)
    for first in range(0, programs, PROGRAMS):
        program = first + tl.arange(0, PROGRAMS)
        there = tl.load(present + program * classes + y, mask=program < programs, other=0) > 0
        at = ((program.to(tl.int64) * classes + y) * classes)[:, None] + c[None, :]
        partial += tl.load(sums + at, mask=there[:, None] & (c < classes)[None, :], other=0)
    tl.store(total + y * classes + c, tl.sum(partial, axis=0), mask=c < classes)
