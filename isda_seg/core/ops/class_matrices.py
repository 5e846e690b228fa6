"""Full covariance matrices of classes (Eq. 2): one product per class of its own samples, not of all samples."""
import torch
from torch import Tensor

from isda_seg.core.ops.checks import at_least_float32, labelled, sample_rows
from isda_seg.core.ops.precision import full_precision

Moments = tuple[Tensor, Tensor, Tensor]  # count (C,), mean (C, A), covariance (C, A, A)
TILE = 256       # samples of one class in a product on a device, at most
WHOLE = 1 << 26  # elements of the products that a device makes at once


@torch.no_grad()
def fold_full(moments: Moments, features: Tensor, labels: Tensor, ignore_index: int | None) -> Tensor:
    """Merge a batch into full ``moments`` in place, on a CPU: one product per class and image (Eqs. 1-3).

    A class that is not in the batch is neither read nor written, and a class's matrix stays in cache while it is.

    Args:
        moments: full ones, changed in place.
        features: (N, A) or (B, A, H, W); samples with a non-finite entry do not count.
        labels: (N,) or (B, H, W), checked.
        ignore_index: samples with this label do not count.

    Returns:
        (), the number of labelled samples with a non-finite feature.
    """
    count, mean, covariance = moments
    within, dropped = torch.empty_like(covariance[0]), count.new_zeros(())
    with full_precision(features.device.type):
        for rows, row_labels in sample_rows(features, labels):
            counts = labelled(row_labels, ignore_index)
            finite = rows.sum(dim=1, dtype=at_least_float32(rows)).isfinite()
            dropped += (counts & ~finite).sum()
            for c in torch.unique(row_labels[counts & finite]).tolist():
                own = rows[(row_labels == c) & finite].to(torch.promote_types(rows.dtype, mean.dtype))
                new = len(own)
                share = new / (int(count[c]) + new)
                own_mean = own.mean(dim=0)
                # The spread between the two means is that of one more sample.
                spread = ((own_mean - mean[c]) * (1 - share) ** 0.5)[None]
                samples = torch.cat([(own - own_mean).div_(new ** 0.5), spread]).to(mean.dtype)
                covariance[c].lerp_(torch.mm(samples.t(), samples, out=within), share)
                mean[c].lerp_(own_mean.to(mean.dtype), share)
                count[c] += new
    return dropped


def class_matrices(centred: Tensor, own: Tensor, counts: Tensor, num_classes: int) -> Tensor:
    """``sum_n x_n x_n^T / n`` over the columns x_n of each class, (C, A, A), by products of columns sorted by class.

    Every class fills whole tiles of columns, the last one padded with zeros. The number of tiles is bounded by the
    shapes, so that nothing is read back from the device, and no tile meets another class's columns.

    Args:
        centred: (A, N).
        own: (N,) classes; C and above do not count.
        counts: number of columns of each class and of C and above.
        num_classes: C.
    """
    channels, columns = centred.shape
    size = min(TILE, max(16, 1 << (columns // num_classes).bit_length()))
    number = columns // size + len(counts)
    tiles_of = (counts + (size - 1)).div(size, rounding_mode='floor')
    padding = tiles_of * size - counts
    ordered, order = own.sort(stable=True)
    place = (padding.cumsum(0) - padding)[ordered] + torch.arange(columns, device=own.device)
    place = torch.empty_like(order).scatter_(0, order, place)
    tiles = centred.new_zeros(channels, number * size).index_copy_(1, place, centred)
    tiles = tiles.view(channels, number, size).movedim(1, 0)
    owner = torch.searchsorted(tiles_of.cumsum(0), torch.arange(number, device=own.device), right=True)
    member = centred.new_zeros(len(counts) + 1, number).scatter_(0, owner[None], 1.0)[:num_classes]
    total = centred.new_zeros(num_classes, channels ** 2)
    at_once = max(1, WHOLE // channels ** 2)
    for some, part in zip(torch.split(tiles, at_once), torch.split(member, at_once, dim=1), strict=True):
        total.addmm_(part, (some @ some.mT).flatten(1))
    return total.div_(counts[:num_classes, None].clamp(min=1)).view(num_classes, channels, channels)
