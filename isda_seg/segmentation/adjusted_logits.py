"""Test-time logits of a prediction, with optional logit adjustment."""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.models.segmentors import SegTTAModel
from mmseg.registry import MODELS
from torch import Tensor

from isda_seg.core.prior import adjust_logits


def adjusted(sample: dict[str, Any], adjustment: Sequence[float] | None) -> dict[str, Any]:
    """Add ``adjustment`` (C,) to the logits of a prediction and recompute its label map; None changes nothing."""
    if adjustment is None:
        return sample
    logits = sample['seg_logits']['data']
    if len(logits) != len(adjustment):
        raise ValueError(f'logit adjustment needs a softmax over the {len(adjustment)} classes, but the model predicts '
                         f'{len(logits)} channels. Test it without --logit-adjustment')
    logits = adjust_logits(logits[None], torch.as_tensor(adjustment, device=logits.device))[0]
    return {**sample, 'seg_logits': {'data': logits}, 'pred_sem_seg': {'data': logits.argmax(dim=0, keepdim=True)}}


def labelled_logits(sample: dict[str, Any], ignore_index: int) -> tuple[Tensor, Tensor]:
    """Return the logits (N, C) and the labels (N,) int64 of the labelled pixels of a prediction."""
    logits = sample['seg_logits']['data'].flatten(1).t()
    labels = sample['gt_sem_seg']['data'].flatten().to(logits.device).long()
    kept = labels != ignore_index
    return logits[kept], labels[kept]


@MODELS.register_module()
class LogProbabilityTTAModel(SegTTAModel):
    """SegTTAModel whose logits are the logarithm of the averaged probabilities.

    SegTTAModel returns the logits of the last view, to which logit adjustment does not apply.
    """

    def merge_preds(self, data_samples_list: list[Any]) -> list[Any]:
        """Merge the predictions for all views of each image."""
        means = [torch.stack([view.seg_logits.data.softmax(dim=0) for view in views]).mean(dim=0)
                 for views in data_samples_list]
        merged = super().merge_preds(data_samples_list)
        for prediction, mean in zip(merged, means, strict=True):
            prediction.set_data({'seg_logits': PixelData(data=mean.log())})
        return merged
