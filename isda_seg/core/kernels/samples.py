"""Triton kernels for samples: running moments and table rows of the labels in the batch."""
import triton
import triton.language as tl

from isda_seg.core.kernels.moments import LARGEST


@triton.jit
def update_kernel(features, index, count, mean, covariance, samples, channels, classes, feature_sample, feature_channel,
                  DIAGONAL: tl.constexpr, SAMPLES: tl.constexpr, CHANNELS: tl.constexpr):
    """Merge the samples of one class into its moments, in place, if this is its first sample (Eqs. 1-3).

    Classes without a sample are not read. ``count`` stays, because the programs of other channels read it. Without
    DIAGONAL, only the mean changes.
    """
    sample = tl.program_id(0)
    y = tl.load(index + sample)
    if (y >= 0) & (y < classes):
        channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
        there = channel < channels
        origin = tl.load(features + sample * feature_sample + channel * feature_channel, mask=there,
                         other=0).to(tl.float32)
        first = sample
        number = 0
        total = tl.zeros([CHANNELS], tl.float32)
        for start in range(0, samples, SAMPLES):
            other = start + tl.arange(0, SAMPLES)
            own = tl.load(index + other, mask=other < samples, other=classes) == y
            first = tl.minimum(first, tl.min(tl.where(own, other, samples)))
            x = tl.load(features + (other * feature_sample)[:, None] + (channel * feature_channel)[None, :],
                        mask=own[:, None] & there[None, :], other=0).to(tl.float32)
            total += tl.sum(tl.where(own[:, None], x - origin[None, :], 0.0), axis=0)
            number += tl.sum(own.to(tl.int32))
        if first == sample:
            shift = total / number
            at = y * channels + channel
            old_mean = tl.load(mean + at, mask=there, other=0)
            share = number / (tl.load(count + y) + number).to(tl.float64)
            delta = origin.to(tl.float64) + shift.to(tl.float64) - old_mean
            tl.store(mean + at, old_mean + share * delta, mask=there)
            if DIAGONAL:
                square = tl.zeros([CHANNELS], tl.float32)
                for start in range(0, samples, SAMPLES):
                    other = start + tl.arange(0, SAMPLES)
                    own = tl.load(index + other, mask=other < samples, other=classes) == y
                    x = tl.load(features + (other * feature_sample)[:, None] + (channel * feature_channel)[None, :],
                                mask=own[:, None] & there[None, :], other=0).to(tl.float32)
                    centred = tl.where(own[:, None], x - origin[None, :] - shift[None, :], 0.0)
                    square += tl.sum(centred * centred, axis=0)
                old_covariance = tl.load(covariance + at, mask=there, other=0)
                weighted = ((1 - share) * delta * delta).to(tl.float32)
                tl.store(covariance + at, old_covariance + share.to(tl.float32) * (
                    square / number + weighted - old_covariance), mask=there)


@triton.jit
def add_counts(index, count, sample, samples, classes, SAMPLES: tl.constexpr, OTHERS: tl.constexpr):
    """Add the samples of a class to its count, if its first sample is among ``sample``."""
    label = tl.load(index + sample, mask=sample < samples, other=-1)
    number = tl.zeros([SAMPLES], tl.int32)
    first_of_class = sample
    for start in range(0, samples, OTHERS):
        other = start + tl.arange(0, OTHERS)
        same = tl.load(index + other, mask=other < samples, other=-2)[None, :] == label[:, None]
        number += tl.sum(same.to(tl.int32), axis=1)
        first_of_class = tl.minimum(first_of_class, tl.min(tl.where(same, other[None, :], samples), axis=1))
    new = (label >= 0) & (label < classes) & (first_of_class == sample)
    tl.store(count + label, tl.load(count + label, mask=new, other=0) + number.to(tl.int64), mask=new)


@triton.jit
def count_kernel(index, count, samples, classes, SAMPLES: tl.constexpr, OTHERS: tl.constexpr):
    """Count samples."""
    sample = tl.program_id(0) * SAMPLES + tl.arange(0, SAMPLES)
    add_counts(index, count, sample, samples, classes, SAMPLES, OTHERS)


@triton.jit
def rows_kernel(index, count, covariance, weight, rows, sigma, half, samples, channels, classes, weight_class,
                weight_channel, COUNTS: tl.constexpr, SAMPLES: tl.constexpr, OTHERS: tl.constexpr,
                CLASSES: tl.constexpr, CHANNELS: tl.constexpr):
    """Compute ``half * T[label]`` for some samples and classes (Eq. 7), each difference of weights by itself.

    ``sigma`` keeps the variances of each label's class for the backward pass. With COUNTS it counts the samples too.
    """
    sample = tl.program_id(0) * SAMPLES + tl.arange(0, SAMPLES)
    c = tl.program_id(1) * CLASSES + tl.arange(0, CLASSES)
    label = tl.load(index + sample, mask=sample < samples, other=classes)
    valid = label < classes
    y = tl.where(valid, label, 0)
    form = tl.zeros([SAMPLES, CLASSES], tl.float32)
    for first in range(0, channels, CHANNELS):
        channel = first + tl.arange(0, CHANNELS)
        there = channel < channels
        variance = tl.load(covariance + (y * channels)[:, None] + channel[None, :],
                           mask=valid[:, None] & there[None, :], other=0)
        if tl.program_id(1) == 0:
            tl.store(sigma + (sample * channels)[:, None] + channel[None, :], variance,
                     mask=(sample < samples)[:, None] & there[None, :])
        w_y = tl.load(weight + (y * weight_class)[:, None] + (channel * weight_channel)[None, :], mask=there[None, :],
                      other=0).to(tl.float32)
        w = tl.load(weight + (c * weight_class)[:, None] + (channel * weight_channel)[None, :],
                    mask=(c < classes)[:, None] & there[None, :], other=0).to(tl.float32)
        difference = w[None, :, :] - w_y[:, None, :]
        form += tl.sum(tl.minimum(variance, LARGEST)[:, None, :] * difference * difference, axis=2)
    form = tl.where((c[None, :] == label[:, None]) | (valid == 0)[:, None], 0.0, tl.minimum(form, LARGEST))
    tl.store(rows + (sample * classes)[:, None] + c[None, :], half * form,
             mask=(sample < samples)[:, None] & (c < classes)[None, :])
    if COUNTS:
        if tl.program_id(1) == 0:
            add_counts(index, count, sample, samples, classes, SAMPLES, OTHERS)


@triton.jit
def own_gradient_kernel(gradient, index, sigma, weight, result, channels, classes, weight_class, weight_channel,
                        FULL: tl.constexpr, CLASSES: tl.constexpr, CHANNELS: tl.constexpr):
    """Compute ``sum_c gradient[c] S_y (w_c - w_y)`` of one sample, what its label's weight receives.

    ``sigma`` is the diagonal of ``S_y`` (samples, channels); with FULL, the products (samples, classes, channels).
    """
    sample = tl.program_id(0)
    label = tl.load(index + sample)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    there = channel < channels
    total = tl.zeros([CHANNELS], tl.float32)
    if label < classes:
        w_y = tl.load(weight + label * weight_class + channel * weight_channel, mask=there, other=0).to(tl.float32)
        for first in range(0, classes, CLASSES):
            c = first + tl.arange(0, CLASSES)
            inside = (c < classes)[:, None] & there[None, :]
            g = tl.load(gradient + sample * classes + c, mask=c < classes, other=0)
            if FULL:
                at = sample.to(tl.int64) * classes * channels + (c * channels)[:, None] + channel[None, :]
                product = tl.load(sigma + at, mask=inside, other=0)
            else:
                product = tl.load(weight + (c * weight_class)[:, None] + (channel * weight_channel)[None, :],
                                  mask=inside, other=0).to(tl.float32) - w_y[None, :]
            total += tl.sum(g[:, None] * product, axis=0)
        if not FULL:
            total *= tl.minimum(tl.load(sigma + sample * channels + channel, mask=there, other=0), LARGEST)
    tl.store(result + sample * channels + channel, total, mask=there)


@triton.jit
def samples_weight_gradient_kernel(gradient, own, index, sigma, weight, result, strength, samples, channels, classes,
                                   weight_class, weight_channel, FULL: tl.constexpr, CLASSES: tl.constexpr,
                                   CHANNELS: tl.constexpr):
    """Compute the gradient with respect to some classes and channels of the weight, over samples in a fixed order."""
    c = tl.program_id(0) * CLASSES + tl.arange(0, CLASSES)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    there = channel < channels
    inside = (c < classes)[:, None] & there[None, :]
    at = (c * weight_class)[:, None] + (channel * weight_channel)[None, :]
    w = tl.load(weight + at, mask=inside, other=0).to(tl.float32)
    total = tl.zeros([CLASSES, CHANNELS], tl.float32)
    for sample in range(samples):
        label = tl.load(index + sample)
        y = tl.where(label < classes, label, 0)
        known = (c * 0 + label) < classes
        g = tl.load(gradient + sample * classes + c, mask=(c < classes) & known, other=0)
        if FULL:
            first = (label * 0 + sample).to(tl.int64) * classes * channels
            product = tl.load(sigma + first + (c * channels)[:, None] + channel[None, :], mask=inside & known[:, None],
                              other=0)
        else:
            variance = tl.minimum(tl.load(sigma + sample * channels + channel, mask=there, other=0), LARGEST)
            w_y = tl.load(weight + y * weight_class + channel * weight_channel, mask=there, other=0).to(tl.float32)
            product = (w - w_y[None, :]) * variance[None, :]
        of_label = tl.load(own + sample * channels + channel, mask=there, other=0)
        total += g[:, None] * product
        total -= tl.where(c[:, None] == label, of_label[None, :], 0.0)
    tl.store(result + at, (strength * total).to(result.dtype.element_ty), mask=inside)
