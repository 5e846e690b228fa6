"""Do the recorded features, through the classifier, give the logits the loss got? Asked at every step."""
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.attachment.captured_inputs import CapturedInput
from isda_seg.attachment.label_grid import pixel_of, source
from isda_seg.core.ops.device import on_host
from isda_seg.core.ops.upsampled import resize
from isda_seg.core.windows import Windows

STRIDE = 2654435761  # odd, near 2^32 over the golden ratio: the sampled positions spread over batch and image
ALLOWED = 1e-2       # of the logits' scale
HALF_ALLOWED = 5e-2  # where features or logits are of half precision


class Sample(NamedTuple):
    """One position of one step: the logits (C,) of the recorded features, how far off those of the loss are."""
    logits: Tensor
    error: Tensor
    scale: Tensor  # (), the length of the feature vector

    def excess(self, weight: Tensor, allowed: float) -> Tensor:
        """(), the largest error as a share of what rounding may do."""
        typical = self.scale * torch.linalg.vector_norm(weight.detach().float()) / max(1, weight.numel()) ** 0.5
        bound = allowed * (self.logits.abs().max() + typical) + torch.finfo(self.error.dtype).tiny
        excess: Tensor = self.error.abs().max() / bound
        return excess


class Verification:
    """Checks a record against the logits: the first image as a whole at the first step, later one position a step.

    The first step is checked before ``check`` returns, on a CPU every step is. On a GPU the error of a later step stays
    on the device until ``raise_failed`` reports it, when the batch has been observed.
    """

    def __init__(self) -> None:
        self.step = 0
        self.verified = False
        self._waiting: list[tuple[Sample, Tensor, float]] = []

    @torch.no_grad()
    def check(self, record: CapturedInput, logits: Tensor, align_corners: bool) -> None:
        """Check one step; called before the batch is observed.

        Raises:
            RuntimeError: the logits are not those of the recorded features; on a GPU after the first step only where
                their shapes do not fit.
        """
        check_shapes(record, logits)
        if logits.numel() == 0:
            return
        half = min(record.features.dtype.itemsize, logits.dtype.itemsize) < 4
        allowed = HALF_ALLOWED if half else ALLOWED
        self.step += 1
        if not self.verified:
            self.verified = _whole_image(record, logits, align_corners, allowed)
            return
        sample = _one_position(record, logits, align_corners, self.step)
        if on_host(logits):
            excess = float(sample.excess(record.weight, allowed))
            if excess > 1:
                raise RuntimeError(_stale(excess * allowed))
            return
        self._waiting.append((sample, record.weight.detach(), allowed))

    @torch.no_grad()
    def raise_failed(self) -> None:
        """RuntimeError if at some step since the last call the logits were not those of the recorded features."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        excesses = torch.stack([sample.excess(weight, allowed) for sample, weight, allowed in waiting])
        excesses = excesses.nan_to_num(nan=0.0, posinf=torch.inf)  # NaN: a step that half precision skipped
        worst, allowed = max(zip(excesses.tolist(), (allowed for _, _, allowed in waiting), strict=True))
        if worst > 1:
            raise RuntimeError(_stale(worst * allowed))

    def __getstate__(self) -> dict[str, Any]:
        """A copy has seen no logits of its own yet."""
        return Verification().__dict__


def check_shapes(record: CapturedInput, logits: Tensor) -> None:
    """RuntimeError where the logits cannot be those of the recorded features."""
    features, classes = record.features, len(record.weight)
    expected = (features.shape[0], classes, *(logits.shape[2:] if features.dim() == 4 else ()))
    if features.dim() not in (2, 4) or tuple(logits.shape) != expected or logits.dim() != features.dim():
        raise RuntimeError(f'recorded features of shape {tuple(features.shape)} give logits (N, {classes}) or '
                           f'(B, {classes}, H, W), the loss got {tuple(logits.shape)}: this is not the classifier that '
                           'made them, or they were reshaped in between (logits of tokens: flatten them to '
                           f'(N, {classes}), with labels (N,))')


def _whole_image(record: CapturedInput, logits: Tensor, align_corners: bool, allowed: float) -> bool:
    """The first image; whether there were numbers to compare."""
    small, got, size = _first(record), logits[:1].float(), tuple(logits.shape[2:])
    again = small if small.dim() == 2 else resize(small, size, align_corners)
    error, scale = float((again - got).abs().max()), float(again.abs().max())
    if error > allowed * (scale + 1e-6):
        if small.dim() > 2 and float((resize(small, size, not align_corners) - got).abs().max()) <= allowed * scale:
            raise RuntimeError(f'the logits the loss got are those of its classifier, upsampled with align_corners='
                               f'{not align_corners}, but the loss was attached with align_corners={align_corners}: '
                               f'attach(loss, classifier, align_corners={not align_corners}) (with OpenMMLab the '
                               "head's align_corners)")
        maps = f' on {small.shape[2]} x {small.shape[3]} positions' if small.dim() > 2 else ''
        raise RuntimeError(f'the recorded features{maps} through the classifier differ from the logits the loss got by '
                           f'{error:.3g} (largest logit {scale:.3g}, align_corners={align_corners}): ISDA needs a head '
                           'whose logits are its one classifier, resized bilinearly, and the loss called on the '
                           'logits of the last forward pass')
    return error <= allowed * (scale + 1e-6)  # NaN: at the next step


def _first(record: CapturedInput) -> Tensor:
    """The logits of the first image, before they are resized, or of the first sample."""
    weight, bias, features = record.weight.float(), record.bias, record.features
    bias = None if bias is None else bias.float()
    if isinstance(features, Windows):
        own = features.of_images(slice(0, 1))
        weight = weight.view(len(weight), -1, *own.kernel)
        return F.conv2d(own.map.float(), weight, bias, list(own.stride), 0, list(own.dilation))
    one = features[:1].float()
    return F.linear(one, weight, bias) if one.dim() == 2 else F.conv2d(one, weight[:, :, None, None], bias)


def _one_position(record: CapturedInput, logits: Tensor, align_corners: bool, step: int) -> Sample:
    """The pixel a sampled feature sits on, so that the interpolation there takes as few neighbours as possible."""
    features = record.features
    if not isinstance(features, Windows) and features.dim() == 2:
        position = step * STRIDE % len(features)
        feature, own = features[position], logits[position]
    else:
        images, _, height, width = features.shape
        position = step * STRIDE % (images * height * width)
        image, row, column = position // (height * width), position // width % height, position % width
        y, x = (pixel_of(i, small, large, align_corners) for i, small, large in
                zip((row, column), (height, width), logits.shape[2:], strict=True))
        sources = [source(i, small, large, align_corners) for i, small, large in
                   zip((y, x), (height, width), logits.shape[2:], strict=True)]
        if isinstance(features, Windows):
            around = [slice(first, second + 1) for first, second, _ in sources]
            feature = features.of_images(slice(image, image + 1)).patch(around[0], around[1])[0]
            sources = [(0, second - first, share) for first, second, share in sources]
        else:
            feature = features[image]
        own = logits[image, :, y, x]
        for first, second, share in sources:
            feature = feature[:, first] if share == 0 else torch.lerp(
                feature[:, first].float(), feature[:, second].float(), share)
    feature, weight = feature.float(), record.weight.float()
    again = weight @ feature if record.bias is None else torch.addmv(record.bias.float(), weight, feature)
    return Sample(again, again - own.float(), torch.linalg.vector_norm(feature))


def _stale(error: float) -> str:
    return (f'the features recorded in the last forward pass of the classifier do not give the logits the loss got '
            f'(off by {100 * error:.3g} % of their scale): call the loss on the logits of the last forward pass, '
            'before the classifier is called again; a further pass without gradients goes into torch.no_grad()')
