"""Where feature pixels sit in the label map, and the resize that decode heads apply to their logits."""
import torch
import torch.nn.functional as F
from torch import Tensor

LABEL_SAMPLINGS = ('exact', 'nearest')


def label_index(small: int, large: int, align_corners: bool, sampling: str = 'exact') -> Tensor:
    """The label row (or column) each of ``small`` feature rows sits on, among ``large``.

    'exact': ``round(i (large-1) / (small-1))`` with align_corners, otherwise the centre of the cell ('nearest-exact').
    'nearest': ``floor(i large / small)``, the authors' way, off by up to half a cell.

    Returns:
        (small,) int64.
    """
    i = torch.arange(small)
    if sampling == 'nearest':
        return i * large // small
    if align_corners:
        return i * 0 if small == 1 else (2 * i * (large - 1) + small - 1) // (2 * (small - 1))
    return (2 * i + 1) * large // (2 * small)


def labels_on_grid(labels: Tensor, size: tuple[int, ...], align_corners: bool, sampling: str = 'exact') -> Tensor:
    """Labels (B, H, W) at the pixels that features of ``size`` (h, w) sit on: (B, h, w). Labels (N,) stay."""
    if labels.dim() == 1 or tuple(labels.shape[1:]) == tuple(size):
        return labels
    rows, columns = (label_index(small, large, align_corners, sampling).to(labels.device)
                     for small, large in zip(size, labels.shape[1:], strict=True))
    return labels[:, rows[:, None], columns]


def resize(logits: Tensor, size: tuple[int, ...], align_corners: bool) -> Tensor:
    """Bilinear, as MMSeg's heads resize their logits to the label map; (B, C, h, w) -> (B, C, *size)."""
    if tuple(logits.shape[2:]) == tuple(size):
        return logits
    return F.interpolate(logits, size=size, mode='bilinear', align_corners=align_corners)
