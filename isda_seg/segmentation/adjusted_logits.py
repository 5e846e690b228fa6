"""Label maps and labelled logits of a prediction, with optional logit adjustment."""
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel
from mmseg.registry import MODELS
from torch import Tensor

from isda_seg.core.prior import adjust_logits

CHUNK = 2 ** 21  # maximum number of logits that are processed at once, which bounds the memory on top of the logits


def with_adjusted_labels(sample: dict[str, Any], adjustment: Sequence[float] | None) -> dict[str, Any]:
    """Replace the label map of a prediction by that of its logits plus ``adjustment`` (C,); None changes nothing."""
    if adjustment is None:
        return sample
    logits = sample['seg_logits']['data']
    if len(logits) != len(adjustment):
        raise ValueError(f'logit adjustment needs a softmax over the {len(adjustment)} classes, but the model predicts '
                         f'{len(logits)} channels. Test it without --logit-adjustment')
    added = torch.as_tensor(adjustment, device=logits.device)
    predicted = [adjust_logits(part[None], added)[0].argmax(dim=0, keepdim=True) for part, in _row_blocks(logits)]
    return {**sample, 'pred_sem_seg': {'data': torch.cat(predicted, dim=1)}}


def _row_blocks(logits: Tensor, *maps: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Split logits (C, H, W) and maps (1, H, W) along H into views with at most ``CHUNK`` logits, or of one row."""
    rows = max(1, CHUNK // (logits.shape[0] * logits.shape[2]))
    return zip(*(torch.split(values, rows, dim=1) for values in (logits, *maps)), strict=True)


def labelled_logits(sample: dict[str, Any], ignore_index: int,
                    adjustment: Sequence[float] | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the logits (n, C) and the labels (n,) int64 of the labelled pixels of a prediction, block by block.

    The prediction has ``seg_logits`` (C, H, W) and ``gt_sem_seg`` (1, H, W). The logits get ``adjustment`` (C,).
    """
    logits = sample['seg_logits']['data']
    labels = sample['gt_sem_seg']['data'].view(1, *logits.shape[1:])
    added = None if adjustment is None else torch.as_tensor(adjustment, device=logits.device)
    for part, own in _row_blocks(logits, labels):
        index = own.flatten().to(logits.device).long()
        kept = index != ignore_index
        index = index[kept]
        if len(index) and int(index.max()) >= len(logits):
            raise ValueError(f'label {int(index.max())} has no output among the {len(logits)} of the model')
        yield adjust_logits(part.flatten(1).t()[kept], added), index


@MODELS.register_module()
class LogProbabilityTTAModel(SegTTAModel):
    """SegTTAModel whose logits are the logarithm of the averaged probabilities.

    SegTTAModel returns the logits of the last view, to which logit adjustment does not apply.
    """

    def merge_preds(self, data_samples_list: list[Any]) -> list[Any]:
        """Merge the predictions for all views of each image."""
        means = [sum(view.seg_logits.data.softmax(dim=0) for view in views) / len(views) for views in data_samples_list]
        merged = super().merge_preds(data_samples_list)
        for prediction, mean in zip(merged, means, strict=True):
            prediction.set_data({'seg_logits': PixelData(data=mean.log())})
        return merged
