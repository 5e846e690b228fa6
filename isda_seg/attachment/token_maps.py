"""Features of a Linear whose logits were reshaped to maps: tokens and channels-last maps, without a copy."""
from collections.abc import Sequence

from torch import Tensor


def as_map(features: Tensor, logits: Sequence[int]) -> Tensor:
    """What entered a Linear, in the layout of the logits that were made of it.

    Args:
        features: (..., A).
        logits: the shape of the logits, resized or not.

    Returns:
        (N, A) for logits (N, C); for logits (B, C, H, W) a view (B, A, h, w) of tokens (B, h w, A) or of maps
        (B, h, w, A).

    Raises:
        RuntimeError: as many tokens as no map of the logits' shape has.
    """
    if len(logits) == 4 and features.dim() == 4:
        return features.movedim(-1, 1)
    if len(logits) == 4 and features.dim() == 3 and features.shape[1]:
        return features.mT.view(len(features), -1, *grid_of(features.shape[1], logits[2], logits[3]))
    return features.flatten(0, -2)


def grid_of(tokens: int, height: int, width: int) -> tuple[int, int]:
    """The sides of a map of so many tokens whose shape is nearest to height : width.

    Raises:
        RuntimeError: even the nearest one is more than twice as long.
    """
    sides = [(h, tokens // h) for h in range(1, tokens + 1) if tokens % h == 0]

    def stretch(side: tuple[int, int]) -> float:
        share = side[0] * width / max(1, side[1] * height)
        return max(share, 1 / share) if share else float('inf')

    nearest = min(sides, key=stretch)
    if stretch(nearest) > 2:
        raise RuntimeError(f'{tokens} tokens entered the classifier, and no h x w map of the shape {height} x {width} '
                           'of the logits has as many (is there a class token among them?): hand the classifier the '
                           "map's tokens alone, or the loss logits (N, C) with labels (N,)")
    return nearest
