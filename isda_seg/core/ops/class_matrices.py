"""Full covariance matrices of classes (Eq. 2), each from a matrix product over the samples of its class alone."""
import torch
from torch import Tensor

from isda_seg.core.ops.labels import labelled, per_image
from isda_seg.core.ops.precision import at_least_float32, full_precision

TILE = 256                  # upper bound of the samples in one product on an accelerator
PRODUCT_ELEMENTS = 1 << 26  # upper bound of the elements of products held at once on an accelerator


@torch.no_grad()
def update_full_in_place(moments: tuple[Tensor, Tensor, Tensor], features: Tensor, labels: Tensor,
                         ignore_index: int | None) -> Tensor:
    """Merge a batch into full ``ClassMoments`` in place, on a CPU; return the number of samples dropped as non-finite.

    Features are (N, A) or (B, A, H, W), labels (N,) or (B, H, W), already checked. There is one product per class and
    image (Eqs. 1-3); matrices of classes without a sample in the batch are neither read nor written.
    """
    count, mean, covariance = moments
    within, dropped = torch.empty_like(covariance[0]), labels.new_zeros(())
    with full_precision(features.device.type):
        for rows, row_labels in per_image(features, labels):
            valid = labelled(row_labels, ignore_index)
            finite = rows.sum(dim=1, dtype=at_least_float32(rows)).isfinite()
            dropped += (valid & ~finite).sum()
            for c in torch.unique(row_labels[valid & finite]).tolist():
                members = rows[(row_labels == c) & finite].to(torch.promote_types(rows.dtype, covariance.dtype))
                new = len(members)
                share = new / (count[c].item() + new)
                batch_mean = members.mean(dim=0)
                # The between-means term of Eq. 2 is an outer product, so it enters as one more sample.
                spread = ((batch_mean - mean[c]) * (1 - share) ** 0.5).to(members.dtype)[None]
                samples = torch.cat([(members - batch_mean).div_(new ** 0.5), spread]).to(covariance.dtype)
                covariance[c].lerp_(torch.mm(samples.t(), samples, out=within), share)
                mean[c].lerp_(batch_mean.to(mean.dtype), share)
                count[c] += new
    return dropped


def class_matrices(centred: Tensor, class_of: Tensor, counts: Tensor, num_classes: int) -> Tensor:
    """Return the mean outer product of each class's columns, (C, A, A), from ``centred`` columns (A, N).

    ``class_of`` (N,) is the class of each column; values of C and above do not count. ``counts`` is the number of
    columns of each value. Columns sorted by class fill tiles of one class each, padded with zeros. The shapes bound the
    number of tiles, which avoids a synchronisation.
    """
    channels, columns = centred.shape
    size = min(TILE, max(16, 1 << (columns // num_classes).bit_length()))
    number = columns // size + len(counts)
    tiles_of = (counts + (size - 1)).div(size, rounding_mode='floor')
    padding = tiles_of * size - counts
    ordered, order = class_of.sort(stable=True)
    place = (padding.cumsum(0) - padding)[ordered] + torch.arange(columns, device=class_of.device)
    place = torch.empty_like(order).scatter_(0, order, place)
    tiles = centred.new_zeros(channels, number * size).index_copy_(1, place, centred)
    tiles = tiles.view(channels, number, size).movedim(1, 0)
    owner = torch.searchsorted(tiles_of.cumsum(0), torch.arange(number, device=class_of.device), right=True)
    member = centred.new_zeros(len(counts) + 1, number).scatter_(0, owner[None], 1.0)[:num_classes]
    total = centred.new_zeros(num_classes, channels ** 2)
    at_once = max(1, PRODUCT_ELEMENTS // channels ** 2)
    for some, part in zip(torch.split(tiles, at_once), torch.split(member, at_once, dim=1), strict=True):
        total.addmm_(part, (some @ some.mT).flatten(1))
    return total.div_(counts[:num_classes, None].clamp(min=1)).view(num_classes, channels, channels)
