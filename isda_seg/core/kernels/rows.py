"""Triton kernels that add the row of its label to each pixel, and sum gradients by label, for any base loss."""
import triton
import triton.language as tl

from isda_seg.core.kernels.loss import add_by_class, clear_columns, note_checks
from isda_seg.core.kernels.moments import LEAST, MOST, class_of

FREE = ['pixels', 'tiles', 'tiles_per_image', 'tiles_per_program', 'tolerance', 'weight_size']


@triton.jit(do_not_specialize=FREE)
def add_rows_kernel(logits, labels, rows, augmented, clean, extremes, worst, checks, tolerance, weight_size, pixels,
                    tiles_per_image, classes, ignore_index, check_programs, logit_image, logit_class, logit_pixel,
                    augmented_image, augmented_class, augmented_pixel, label_image,
                    PIXELS: tl.constexpr, CLASSES: tl.constexpr, CHECKS: tl.constexpr):
    """Compute ``logits + rows[label]`` of one tile, and labels in which each one outside the classes is ignored."""
    tile = tl.program_id(0)
    image = (tile // tiles_per_image).to(tl.int64)
    pixel = (tile % tiles_per_image) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < pixels
    label, valid, bad = class_of(labels + image * label_image + pixel, inside, classes, ignore_index)
    tl.atomic_min(extremes, tl.min(tl.where(bad, label, MOST)), sem='relaxed')
    tl.atomic_max(extremes + 1, tl.max(tl.where(bad, label, LEAST)), sem='relaxed')
    tl.store(clean + image * pixels + pixel, tl.where(valid, label, ignore_index).to(tl.int64), mask=inside)
    row = tl.where(valid, label, 0) * classes
    for first in range(0, classes, CLASSES):
        c = first + tl.arange(0, CLASSES)
        known = inside[:, None] & (c < classes)[None, :]
        z = tl.load(logits + image * logit_image + (pixel * logit_pixel)[:, None] + (c * logit_class)[None, :],
                    mask=known, other=0).to(tl.float32)
        z += tl.load(rows + row[:, None] + c[None, :], mask=known & valid[:, None], other=0)
        tl.store(augmented + image * augmented_image + (pixel * augmented_pixel)[:, None]
                 + (c * augmented_class)[None, :], z, mask=known)
    if tile == 0:
        note_checks(checks, check_programs, worst, tolerance, weight_size, CHECKS)


@triton.jit(do_not_specialize=FREE)
def label_sums_kernel(values, labels, sums, present, pixels, tiles, tiles_per_image, tiles_per_program, classes,
                      ignore_index, value_image, value_class, value_pixel, PIXELS: tl.constexpr, CLASSES: tl.constexpr):
    """Compute each program's sum of the values over the pixels of each class: (programs, classes, classes)."""
    program = tl.program_id(0)
    clear_columns(present, program, classes, CLASSES)
    for tile in range(program * tiles_per_program, tl.minimum((program + 1) * tiles_per_program, tiles)):
        image = (tile // tiles_per_image).to(tl.int64)
        pixel = (tile % tiles_per_image) * PIXELS + tl.arange(0, PIXELS)
        label, valid, _ = class_of(labels + image * pixels + pixel, pixel < pixels, classes, ignore_index)
        for first in range(0, classes, CLASSES):
            c = first + tl.arange(0, CLASSES)
            value = tl.load(values + image * value_image + (pixel * value_pixel)[:, None] + (c * value_class)[None, :],
                            mask=valid[:, None] & (c < classes)[None, :], other=0).to(tl.float32)
            add_by_class(value, label, valid, sums, present, program, first, classes, CLASSES)
