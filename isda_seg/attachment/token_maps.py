"""Inputs of a Linear layer (tokens or channels-last maps) as channels-first maps, without a copy."""
from collections.abc import Sequence

from torch import Tensor


def as_map(features: Tensor, logits: Sequence[int]) -> Tensor:
    """Return the input of a Linear layer in the layout of its logits.

    Args:
        features: (..., A).
        logits: shape of the logits, resized or not.

    Returns:
        (N, A) for logits (N, C). For logits (B, C, H, W), a view (B, A, h, w) of tokens (B, h w, A) or of maps
        (B, h, w, A).

    Raises:
        RuntimeError: a number of tokens that does not form a map with the aspect ratio of the logits.
    """
    if len(logits) == 4 and features.dim() == 4:
        return features.movedim(-1, 1)
    if len(logits) == 4 and features.dim() == 3 and features.shape[1]:
        return features.mT.view(len(features), -1, *grid_of(features.shape[1], logits[2], logits[3]))
    return features.flatten(0, -2)


def grid_of(tokens: int, height: int, width: int) -> tuple[int, int]:
    """Return the sides of a map of so many tokens with the aspect ratio nearest to height : width.

    Raises:
        RuntimeError: the nearest aspect ratio is wrong by more than a factor of 2.
    """
    sides = [(h, tokens // h) for h in range(1, tokens + 1) if tokens % h == 0]

    def stretch(side: tuple[int, int]) -> float:
        share = side[0] * width / max(1, side[1] * height)
        return max(share, 1 / share) if share else float('inf')

    nearest = min(sides, key=stretch)
    if stretch(nearest) > 2:
        raise RuntimeError(f'{tokens} tokens entered the classifier, which do not form a map with the aspect ratio '
                           f'{height} x {width} of the logits. Remove a class token from the input of the classifier, '
                           'or pass logits (N, C) and labels (N,) to the loss')
    return nearest
