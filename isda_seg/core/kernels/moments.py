"""Triton kernels before the loss: labels on the feature grid, moments of the batch, running moments and table."""
import triton
import triton.language as tl

LARGEST = tl.constexpr(1e30)  # replaces infinity, as in ops/quadratic.py
LEAST = tl.constexpr(-2 ** 31)
MOST = tl.constexpr(2 ** 31 - 1)


@triton.jit
def class_of(labels, mask, classes, ignore_index):
    """Return int32 labels, whether each is a class, and whether it is neither a class nor ignored."""
    label = tl.load(labels, mask=mask, other=0).to(tl.int64)
    clamped = tl.minimum(tl.maximum(label, LEAST), MOST).to(tl.int32)
    inside, given = (label >= 0) & (label < classes), mask & (label != ignore_index)
    return clamped, inside & given, given & (inside == 0)


@triton.jit(do_not_specialize=['tiles', 'tiles_per_image', 'pixels', 'width', 'image', 'at_00', 'at_01', 'at_10',
                               'at_11', 'around', 'around_width', 'around_height', 'row', 'column'])
def grid_kernel(features, labels, rows, columns, weight, bias, logits, index, dropped, checks,
                tiles, tiles_per_image, pixels, width, image, at_00, at_01, at_10, at_11, share_row, share_column,
                around, around_width, around_height, row, column, channels, classes, ignore_index,
                feature_image, feature_channel, feature_pixel, label_image, label_row, weight_class, weight_channel,
                logit_image, logit_class, logit_row, logit_column, HAS_BIAS: tl.constexpr, SAME_SIZE: tl.constexpr,
                PIXELS: tl.constexpr, CHANNELS: tl.constexpr, CLASSES: tl.constexpr):
    """Look up the class of each feature pixel, and recompute the logits of one position for comparison.

    ``index`` is ``classes`` where a pixel has no class or a feature that is not finite; ``dropped`` counts the latter.
    The last programs recompute the logits of one position: ``checks`` is (programs, 4) of the largest error, the
    largest logit, the squared norm of the weight, and the largest squared norm of the features around the position.
    """
    program = tl.program_id(0)
    if program < tiles:
        here = (program // tiles_per_image).to(tl.int64)
        pixel = (program % tiles_per_image) * PIXELS + tl.arange(0, PIXELS)
        inside = pixel < pixels
        if SAME_SIZE:
            at = (pixel // width) * label_row + pixel % width
        else:
            at = tl.load(rows + pixel // width, mask=inside, other=0) * label_row + \
                tl.load(columns + pixel % width, mask=inside, other=0)
        label, valid, _ = class_of(labels + here * label_image + at, inside, classes, ignore_index)
        nan = tl.zeros([PIXELS], tl.float32)
        for first in range(0, channels, CHANNELS):
            channel = first + tl.arange(0, CHANNELS)
            x = tl.load(features + here * feature_image + (pixel * feature_pixel)[:, None]
                        + (channel * feature_channel)[None, :], mask=inside[:, None] & (channel < channels)[None, :],
                        other=0).to(tl.float32)
            nan += tl.sum(x * 0.0, axis=1)
        finite = nan == 0.0
        tl.store(index + here * pixels + pixel, tl.where(valid & finite, label, classes), mask=inside)
        lost = tl.sum((valid & (finite == 0)).to(tl.int64))
        tl.atomic_add(dropped, lost, mask=lost > 0)
    else:
        c = (program - tiles) * CLASSES + tl.arange(0, CLASSES)
        known = c < classes
        again = tl.zeros([CLASSES], tl.float32)
        squared = tl.zeros([CHANNELS], tl.float32)
        position = features + image.to(tl.int64) * feature_image
        for first in range(0, channels, CHANNELS):
            channel = first + tl.arange(0, CHANNELS)
            there = channel < channels
            to = position + channel * feature_channel
            top = tl.load(to + at_00 * feature_pixel, mask=there, other=0).to(tl.float32) * (1 - share_column) + \
                tl.load(to + at_01 * feature_pixel, mask=there, other=0).to(tl.float32) * share_column
            bottom = tl.load(to + at_10 * feature_pixel, mask=there, other=0).to(tl.float32) * (1 - share_column) + \
                tl.load(to + at_11 * feature_pixel, mask=there, other=0).to(tl.float32) * share_column
            x = top * (1 - share_row) + bottom * share_row
            w = tl.load(weight + (c * weight_class)[:, None] + (channel * weight_channel)[None, :],
                        mask=known[:, None] & there[None, :], other=0).to(tl.float32)
            again += tl.sum(w * x[None, :], axis=1)
            squared += tl.sum(w * w, axis=0)
        if HAS_BIAS:
            again += tl.load(bias + c, mask=known, other=0).to(tl.float32)
        given = tl.load(logits + image.to(tl.int64) * logit_image + c * logit_class + row * logit_row
                        + column * logit_column, mask=known, other=0).to(tl.float32)
        largest = 0.0
        for neighbour in range(around_width * around_height):  # bilinear weights may be 1e-7 instead of 0
            pixel = around + neighbour // around_width * width + neighbour % around_width
            norm = tl.zeros([CHANNELS], tl.float32)
            for first in range(0, channels, CHANNELS):
                channel = first + tl.arange(0, CHANNELS)
                x = tl.load(position + channel * feature_channel + pixel * feature_pixel, mask=channel < channels,
                            other=0).to(tl.float32)
                norm += x * x
            largest = tl.maximum(largest, tl.sum(norm))
        to = checks + (program - tiles) * 4
        tl.store(to, tl.max(tl.where(known, tl.abs(again - given), 0.0)))
        tl.store(to + 1, tl.max(tl.where(known, tl.abs(again), 0.0)))
        tl.store(to + 2, tl.sum(squared))
        tl.store(to + 3, largest)


@triton.jit(do_not_specialize=['pixels', 'tiles', 'tiles_per_image', 'tiles_per_split'])
def moments_kernel(features, index, counts, origins, means, squares, pixels, tiles, tiles_per_image, tiles_per_split,
                   channels, classes, feature_image, feature_channel, feature_pixel,
                   PIXELS: tl.constexpr, CHANNELS: tl.constexpr, CLASSES: tl.constexpr):
    """Compute count, mean and centred squares of each class in one split of the pixels, for some channels.

    ``counts`` is (splits, channel blocks, classes), the others are (splits, classes, channels). A tile of pixels holds
    few classes: each is centred on its own mean and merged with those before it (Chan et al.). ``means`` are relative
    to ``origins``, the mean in the first tile with the class: far from zero, float32 rounds off small differences.
    """
    block, split = tl.program_id(0), tl.program_id(1)
    channel = block * CHANNELS + tl.arange(0, CHANNELS)
    there = channel < channels
    own_counts = counts + (split * tl.num_programs(0) + block) * classes
    for first in range(0, classes, CLASSES):
        c = first + tl.arange(0, CLASSES)
        tl.store(own_counts + c, tl.zeros([CLASSES], tl.int32), mask=c < classes)
    tl.debug_barrier()
    for tile in range(split * tiles_per_split, tl.minimum((split + 1) * tiles_per_split, tiles)):
        image = (tile // tiles_per_image).to(tl.int64)
        pixel = (tile % tiles_per_image) * PIXELS + tl.arange(0, PIXELS)
        inside = pixel < pixels
        label = tl.load(index + image * pixels + pixel, mask=inside, other=classes)
        x = tl.load(features + image * feature_image + (pixel * feature_pixel)[:, None]
                    + (channel * feature_channel)[None, :], mask=inside[:, None] & there[None, :],
                    other=0).to(tl.float32)
        current = tl.min(label)
        while current < classes:
            own = label == current
            number = tl.sum(own.to(tl.int32))
            new = number.to(tl.float32)
            before = tl.load(own_counts + current)
            seen = there & ((channel * 0 + before) > 0)
            at = (split * classes + current) * channels + channel
            origin = tl.sum(tl.where(own[:, None], x, 0.0), axis=0) / new
            origin = tl.where(seen, tl.load(origins + at, mask=seen, other=0), origin)
            mean = tl.sum(tl.where(own[:, None], x - origin[None, :], 0.0), axis=0) / new
            centred = tl.where(own[:, None], x - origin[None, :] - mean[None, :], 0.0)
            square = tl.sum(centred * centred, axis=0)
            old_mean = tl.load(means + at, mask=seen, other=0)
            old_square = tl.load(squares + at, mask=seen, other=0)
            old = before.to(tl.float32)
            share = new / (old + new)
            delta = mean - old_mean
            tl.debug_barrier()
            tl.store(origins + at, origin, mask=there)
            tl.store(means + at, old_mean + share * delta, mask=there)
            tl.store(squares + at, old_square + square + delta * delta * old * share, mask=there)
            tl.debug_barrier()
            tl.store(own_counts + current, before + number)
            tl.debug_barrier()
            label = tl.where(own, classes, label)
            current = tl.min(label)


@triton.jit(do_not_specialize=['splits', 'background'])
def merge_kernel(counts, origins, means, squares, count, mean, covariance, weight, new_count, new_mean, new_covariance,
                 copy, rows, half, tau, splits, background, blocks, channels, classes, weight_class, weight_channel,
                 CHANNELS: tl.constexpr, CLASSES: tl.constexpr, SPLITS: tl.constexpr):
    """Merge the splits into the running moments of one class (Eqs. 1-3), and compute its row of the table.

    The row is ``half * T[y] + tau * log prior`` (Eq. 7), from the moments after the merge; ``T[background]`` is 0.
    ``copy`` is the covariance in that row, for the backward pass, before which something else may change the buffer.
    """
    y = tl.program_id(0)
    split = tl.arange(0, SPLITS)
    own = tl.load(counts + split * blocks * classes + y, mask=split < splits, other=0)
    number = own.to(tl.float32)
    new = tl.sum(number)
    total = tl.load(count + y) + tl.sum(own.to(tl.int64))
    share = tl.sum(own.to(tl.int64)).to(tl.float64) / tl.maximum(total, 1).to(tl.float64)
    for first in range(0, channels, CHANNELS):
        channel = first + tl.arange(0, CHANNELS)
        there = channel < channels
        at = ((split * classes + y) * channels)[:, None] + channel[None, :]
        seen = (own > 0)[:, None] & there[None, :]
        each_origin = tl.load(origins + at, mask=seen, other=0)
        one = split == tl.argmax((own > 0).to(tl.int32), axis=0)
        origin = tl.sum(tl.where(one[:, None], each_origin, 0.0), axis=0)
        deviation = tl.where(seen, each_origin - origin[None, :] + tl.load(means + at, mask=seen, other=0), 0.0)
        shift = tl.sum(number[:, None] * deviation, axis=0) / tl.maximum(new, 1.0)
        centred = tl.where(seen, deviation - shift[None, :], 0.0)
        square = tl.sum(tl.load(squares + at, mask=seen, other=0) + number[:, None] * centred * centred, axis=0)
        old_mean = tl.load(mean + y * channels + channel, mask=there, other=0)
        old_covariance = tl.load(covariance + y * channels + channel, mask=there, other=0)
        delta = origin.to(tl.float64) + shift.to(tl.float64) - old_mean
        weighted = ((1 - share) * delta * delta).to(tl.float32)
        merged = old_covariance + share.to(tl.float32) * (square / tl.maximum(new, 1.0) + weighted - old_covariance)
        tl.store(new_mean + y * channels + channel, old_mean + share * delta, mask=there)
        merged = tl.where(new > 0, merged, old_covariance)
        tl.store(new_covariance + y * channels + channel, merged, mask=there)
        tl.store(copy + y * channels + channel, tl.where(y == background, 0.0, merged), mask=there)
    tl.store(new_count + y, total)
    tl.debug_barrier()
    every = tl.zeros([CLASSES], tl.float32)
    for first in range(0, classes, CLASSES):
        c = first + tl.arange(0, CLASSES)
        seen_c = tl.maximum(_total(counts, count, c, splits, blocks, classes), 1)
        every += tl.where(c < classes, seen_c, 0).to(tl.float32)
    log_all = tl.log(tl.sum(every))
    for first in range(0, classes, CLASSES):
        c = first + tl.arange(0, CLASSES)
        form = tl.zeros([CLASSES], tl.float32)
        for start in range(0, channels, CHANNELS):
            channel = start + tl.arange(0, CHANNELS)
            there = channel < channels
            sigma = tl.load(new_covariance + y * channels + channel, mask=there, other=0)
            w_y = tl.load(weight + y * weight_class + channel * weight_channel, mask=there, other=0).to(tl.float32)
            w = tl.load(weight + (c * weight_class)[:, None] + (channel * weight_channel)[None, :],
                        mask=(c < classes)[:, None] & there[None, :], other=0).to(tl.float32)
            difference = tl.where((c < classes)[:, None] & there[None, :], w - w_y[None, :], 0.0)
            form += tl.sum(tl.minimum(sigma, LARGEST)[None, :] * difference * difference, axis=1)
        row = half * tl.where((c == y) | (y == background), 0.0, tl.minimum(form, LARGEST))
        if tau > 0:
            seen_c = tl.maximum(_total(counts, count, c, splits, blocks, classes), 1).to(tl.float32)
            row += tau * (tl.log(seen_c) - log_all)
        tl.store(rows + y * classes + c, row, mask=c < classes)


@triton.jit
def _total(counts, count, c, splits, blocks, classes):
    """Return the running count of some classes, with the samples of all splits."""
    total = tl.load(count + c, mask=c < classes, other=0)
    for split in range(splits):
        total += tl.load(counts + split * blocks * classes + c, mask=c < classes, other=0).to(tl.int64)
    return total


@triton.jit
def weight_gradient_kernel(row_gradient, weight, covariance, gradient, strength, channels, classes, weight_class,
                           weight_channel, CHANNELS: tl.constexpr, CLASSES: tl.constexpr):
    """Compute the gradient with respect to some classes and channels of the weight, from that of the table's rows.

    With ``G = row_gradient`` it is ``strength * sum_y G[y, c] S_y (w_c - w_y)``, less the same sum over c at class y.
    """
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    first = tl.program_id(1) * CLASSES
    c = first + tl.arange(0, CLASSES)
    there = channel < channels
    inside = (c < classes)[:, None] & there[None, :]
    at = (c * weight_class)[:, None] + (channel * weight_channel)[None, :]
    w = tl.load(weight + at, mask=inside, other=0).to(tl.float32)
    sigma = tl.minimum(tl.load(covariance + (c * channels)[:, None] + channel[None, :], mask=inside, other=0), LARGEST)
    total = tl.zeros([CLASSES, CHANNELS], tl.float32)
    for y in range(classes):
        w_y = tl.load(weight + y * weight_class + channel * weight_channel, mask=there, other=0).to(tl.float32)
        sigma_y = tl.minimum(tl.load(covariance + y * channels + channel, mask=there, other=0), LARGEST)
        as_other = tl.load(row_gradient + y * classes + c, mask=c < classes, other=0)   # G[y, c]
        as_label = tl.load(row_gradient + c * classes + y, mask=c < classes, other=0)   # G[c, y]
        difference = tl.where(inside, w - w_y[None, :], 0.0)
        total += difference * (as_other[:, None] * sigma_y[None, :] + as_label[:, None] * sigma)
    tl.store(gradient + at, (strength * total).to(gradient.dtype.element_ty), mask=inside)
