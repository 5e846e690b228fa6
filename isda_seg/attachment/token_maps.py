"""Channels-first views of the input of a Linear layer: tokens or channels-last maps."""
from collections.abc import Sequence
from itertools import permutations, product
from math import prod

from torch import Tensor


def as_map(features: Tensor, logits: Sequence[int]) -> Tensor:
    """Return the input (..., A) of a Linear layer in the layout of logits of this shape, resized or not.

    It is (N, A) for logits (N, C). For logits (B, C, H, W), it is a view (B, A, h, w) of tokens (B, h w, A) or of maps
    (B, h, w, A); likewise for any number of spatial dimensions.
    """
    if len(logits) == features.dim() > 2:
        return features.movedim(-1, 1)
    if len(logits) > 3 and features.dim() == 3 and features.shape[1]:
        return features.mT.view(len(features), -1, *grid_of(features.shape[1], logits[2:]))
    return features.flatten(0, -2)


def grid_of(tokens: int, size: Sequence[int]) -> tuple[int, ...]:
    """Return the sides of a map of so many tokens with the aspect ratio nearest to that of ``size``."""
    def stretch(sides: tuple[int, ...]) -> float:
        pairs = list(zip(sides, size, strict=True))
        return max(a * wide / (b * high) if b * high else float('inf')
                   for (a, high), (b, wide) in permutations(pairs, 2))

    divisors = [side for side in range(1, tokens + 1) if tokens % side == 0]
    nearest = min((sides for sides in product(divisors, repeat=len(size)) if prod(sides) == tokens), key=stretch)
    if stretch(nearest) > 2:
        raise RuntimeError(f'{tokens} tokens entered the classifier, which do not form a map with the aspect ratio '
                           f'{" x ".join(map(str, size))} of the logits. Remove a class token from the input of the '
                           'classifier, or pass the logits of all tokens as (N, C), with an ignored label for it')
    return nearest
