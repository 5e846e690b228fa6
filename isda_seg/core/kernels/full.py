"""Triton kernels for samples with full covariances: rank update of the classes in the batch, and their table rows."""
import triton
import triton.language as tl

from isda_seg.core.kernels.moments import LARGEST


@triton.jit
def update_full_kernel(features, index, count, mean, covariance, samples, channels, classes, feature_sample,
                       feature_channel, SAMPLES: tl.constexpr, CHANNELS: tl.constexpr):
    """Merge the samples of one class into a block of its covariance, in place, if this is its first sample (Eq. 2).

    ``mean`` and ``count`` stay, because the programs of other blocks read them.
    """
    sample = tl.program_id(0)
    y = tl.load(index + sample)
    if (y >= 0) & (y < classes):
        a = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
        b = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
        row = features + sample * feature_sample
        origin_a = tl.load(row + a * feature_channel, mask=a < channels, other=0).to(tl.float32)
        origin_b = tl.load(row + b * feature_channel, mask=b < channels, other=0).to(tl.float32)
        first = sample
        number = 0
        sum_a = tl.zeros([CHANNELS], tl.float32)
        sum_b = tl.zeros([CHANNELS], tl.float32)
        for start in range(0, samples, SAMPLES):
            other = start + tl.arange(0, SAMPLES)
            own = tl.load(index + other, mask=other < samples, other=classes) == y
            first = tl.minimum(first, tl.min(tl.where(own, other, samples)))
            number += tl.sum(own.to(tl.int32))
            sum_a += tl.sum(_centred(features, other, own, a, channels, feature_sample, feature_channel, origin_a), 0)
            sum_b += tl.sum(_centred(features, other, own, b, channels, feature_sample, feature_channel, origin_b), 0)
        if first == sample:
            shift_a = sum_a / number
            shift_b = sum_b / number
            product = tl.zeros([CHANNELS, CHANNELS], tl.float32)
            for start in range(0, samples, SAMPLES):
                other = start + tl.arange(0, SAMPLES)
                own = tl.load(index + other, mask=other < samples, other=classes) == y
                x_a = _centred(features, other, own, a, channels, feature_sample, feature_channel, origin_a)
                x_b = _centred(features, other, own, b, channels, feature_sample, feature_channel, origin_b)
                x_a = tl.where(own[:, None], x_a - shift_a[None, :], 0.0)
                x_b = tl.where(own[:, None], x_b - shift_b[None, :], 0.0)
                product += tl.dot(tl.trans(x_a), x_b, input_precision='ieee')
            share = number / (tl.load(count + y) + number).to(tl.float64)
            delta_a = origin_a.to(tl.float64) + shift_a - tl.load(mean + y * channels + a, mask=a < channels, other=0)
            delta_b = origin_b.to(tl.float64) + shift_b - tl.load(mean + y * channels + b, mask=b < channels, other=0)
            spread = ((1 - share) * delta_a).to(tl.float32)[:, None] * delta_b.to(tl.float32)[None, :]
            inside = (a < channels)[:, None] & (b < channels)[None, :]
            at = covariance + y.to(tl.int64) * channels * channels + (a * channels)[:, None] + b[None, :]
            old = tl.load(at, mask=inside, other=0)
            tl.store(at, old + share.to(tl.float32) * (product / number + spread - old), mask=inside)


@triton.jit
def _centred(features, sample, own, channel, channels, feature_sample, feature_channel, origin):
    """Return features of some samples less the origin; 0 for samples of other classes."""
    x = tl.load(features + (sample * feature_sample)[:, None] + (channel * feature_channel)[None, :],
                mask=own[:, None] & (channel < channels)[None, :], other=0).to(tl.float32)
    return tl.where(own[:, None], x - origin[None, :], 0.0)


@triton.jit
def _differences(weight, c, y, channel, classes, channels, weight_class, weight_channel):
    """Return ``w_c - w_y`` for some classes and channels."""
    there = channel < channels
    w_y = tl.load(weight + y * weight_class + channel * weight_channel, mask=there, other=0).to(tl.float32)
    w = tl.load(weight + (c * weight_class)[:, None] + (channel * weight_channel)[None, :],
                mask=(c < classes)[:, None] & there[None, :], other=0).to(tl.float32)
    return tl.where((c < classes)[:, None], w - w_y[None, :], 0.0)


@triton.jit
def full_rows_kernel(index, covariance, weight, rows, products, half, channels, classes, weight_class, weight_channel,
                     CLASSES: tl.constexpr, CHANNELS: tl.constexpr):
    """Compute ``half * T[label]`` of one sample for some classes (Eq. 7), from explicit differences of weights.

    ``products`` keeps ``S_y (w_c - w_y)`` (samples, classes, channels) for the backward pass.
    """
    sample = tl.program_id(0)
    c = tl.program_id(1) * CLASSES + tl.arange(0, CLASSES)
    label = tl.load(index + sample)
    form = tl.zeros([CLASSES], tl.float32)
    if label < classes:
        sigma = covariance + label.to(tl.int64) * channels * channels
        for first in range(0, channels, CHANNELS):
            a = first + tl.arange(0, CHANNELS)
            product = tl.zeros([CLASSES, CHANNELS], tl.float32)
            for start in range(0, channels, CHANNELS):
                b = start + tl.arange(0, CHANNELS)
                block = tl.load(sigma + (b * channels)[:, None] + a[None, :],
                                mask=(b < channels)[:, None] & (a < channels)[None, :], other=0)
                product += tl.dot(_differences(weight, c, label, b, classes, channels, weight_class, weight_channel),
                                  block, input_precision='ieee')
            product = tl.where(product == product, tl.minimum(tl.maximum(product, -LARGEST), LARGEST), 0.0)
            to = products + sample.to(tl.int64) * classes * channels + (c * channels)[:, None] + a[None, :]
            tl.store(to, product, mask=(c < classes)[:, None] & (a < channels)[None, :])
            form += tl.sum(product * _differences(weight, c, label, a, classes, channels, weight_class,
                                                  weight_channel), axis=1)
        form = tl.where(c == label, 0.0, tl.minimum(tl.maximum(form, 0.0), LARGEST))
    tl.store(rows + sample * classes + c, half * form, mask=c < classes)
