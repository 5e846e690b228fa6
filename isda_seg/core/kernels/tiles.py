"""Tile sizes and numbers of programs: functions of the shapes, so that every run adds in the same order."""
from functools import lru_cache
from typing import NamedTuple

PROGRAMS = 264        # not the number of multiprocessors of the device: the order of sums is part of the result
PARTIAL_BYTES = 1 << 25  # for the row sums in the backward pass, unless PROGRAMS programs need more


def power(number: int, least: int = 16, most: int = 1 << 20) -> int:
    """Return the smallest power of two that is at least ``number``, within the limits."""
    return min(most, max(least, 1 << (number - 1).bit_length()))


class Share(NamedTuple):
    """Tiles of all images, distributed over programs."""
    per_image: int
    tiles: int
    per_program: int
    programs: int


def share(images: int, pixels: int, size: int, programs: int) -> Share:
    """Distribute tiles of ``size`` pixels over at most ``programs`` programs."""
    per_image = -(-pixels // size)
    tiles = images * per_image
    each = max(1, -(-tiles // programs))
    return Share(per_image, tiles, each, -(-tiles // each))


class LossTiles(NamedTuple):
    """Tiles of the kernels over labelled pixels. With channels_last, a tile has several classes."""
    pixels: int
    classes: int
    warps: int
    share: Share

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, images: int, pixels: int, classes: int, channels_last: bool, weighted: bool = False) -> 'LossTiles':
        """Return the tiles of logits (images, classes, pixels), smaller ones per warp for gradients with weights."""
        size, block = (32 if weighted else 64, 16) if channels_last else (256, 1)
        programs = max(PROGRAMS, min(4 * PROGRAMS, PARTIAL_BYTES // (4 * classes * classes)))
        return cls(size, block, 8 if channels_last or weighted else 4, share(images, pixels, size, programs))

    @classmethod
    def of_samples(cls, samples: int, classes: int) -> 'LossTiles':
        """Return the tiles of a batch of samples: few samples, many classes."""
        return cls(2, power(classes, most=256), 4, share(1, samples, 2, PROGRAMS))
