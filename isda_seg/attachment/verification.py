"""Verify at every step that the captured features reproduce the logits."""
from collections.abc import Sequence
from math import ceil, inf, prod
from typing import NamedTuple

import torch
from torch import Tensor

from isda_seg.attachment.captured_inputs import CapturedInput
from isda_seg.attachment.label_grid import neighbours_of, pixel_of
from isda_seg.core.ops.device import on_cpu
from isda_seg.core.ops.transient import Transient
from isda_seg.core.ops.upsampled import resize
from isda_seg.core.windows import Windows

STRIDE = 2654435761  # 2^32 divided by the golden ratio: spreads the sampled positions over batch and image
TOLERANCE = 1e-2       # tolerance relative to the scale of the logits
HALF_TOLERANCE = 5e-2  # tolerance for features or logits in half precision
TERMS = 36           # number of channels whose rounding errors may add up without cancelling each other


def relative_tolerance(features: Tensor | Windows, logits: Tensor) -> float:
    """Return the largest allowed difference, relative to the scale of the logits."""
    return HALF_TOLERANCE if min(features.dtype.itemsize, logits.dtype.itemsize) < 4 else TOLERANCE


class Place(NamedTuple):
    """The feature pixel verified at one step, and what the logits there interpolate."""
    image: int
    pixel: list[int]                          # of the logits
    neighbours: list[tuple[int, int, float]]  # of each side: two feature rows, and the weight of the second

    @classmethod
    def of(cls, step: int, images: int, sizes: Sequence[int], large: Sequence[float], align_corners: bool) -> 'Place':
        """Return the place of a step, where interpolation needs the fewest neighbours."""
        position = step * STRIDE % (images * prod(sizes))
        places = [position // prod(sizes[side + 1:]) % size for side, size in enumerate(sizes)]
        sides = list(zip(sizes, large, strict=True))
        pixel = [pixel_of(i, small, int(side), align_corners) for i, (small, side) in zip(places, sides, strict=True)]
        neighbours = [neighbours_of(i, small, side, align_corners)
                      for i, (small, side) in zip(pixel, sides, strict=True)]
        return cls(position // prod(sizes), pixel, neighbours)


class Comparison(NamedTuple):
    """Comparison at one position of one step."""
    logits: Tensor    # (C, n) of the captured features that the position interpolates, and of their neighbours
    error: Tensor     # (C,) difference to the logits of the loss
    features: Tensor  # (A, n)

    def excess(self, weight: Tensor, tolerance: float) -> Tensor:
        """Return the largest error divided by the tolerance, a scalar tensor."""
        bound = tolerance * (self.logits.abs().max() + typical_logit(self.features, weight))
        excess: Tensor = self.error.abs().max() / (bound + torch.finfo(self.error.dtype).tiny)
        return excess


def typical_logit(features: Tensor, weight: Tensor) -> Tensor:
    """Return the size of a logit of the largest feature (A, n) without cancellation, a scalar; the weight is (C, A).

    Rounding errors are relative to this size: the logits themselves may be much smaller. The sum of absolute products
    is at most the product of the norms. bfloat16 rounds it by 2^-7, less than ``HALF_TOLERANCE / TERMS ** 0.5``.
    """
    length = torch.linalg.vector_norm(features.float(), dim=0).max()
    rows = torch.linalg.vector_norm(weight.detach().float(), dim=1)
    typical: Tensor = length * torch.maximum(torch.linalg.vector_norm(rows) / weight.numel() ** 0.5,
                                             rows.max() / TERMS ** 0.5)
    return typical


def scale_factor_of(small: Tensor, logits: Tensor, bound: float) -> float | None:
    """Return a ``scale_factor``, not the ratio of sizes that it rounded, that gives the logits, or None.

    Fractions with denominators up to 100 are tried.
    """
    size = tuple(logits.shape[2:])
    sides = list(zip(small.shape[2:], size, strict=True))
    least, most = max(large / side for side, large in sides), min((large + 1) / side for side, large in sides)
    for divisor in range(1, 101):
        for factor in (number / divisor for number in range(ceil(least * divisor), ceil(most * divisor))):
            again = resize(small, size, False, factor)
            if again.shape == logits.shape and float((again - logits).abs().max()) <= bound:
                return factor
    return None


class Verification(Transient):
    """Check of captured inputs against the logits: the whole first image at the first step, then one position per step.

    On a CPU, ``check`` raises the error of its step. On an accelerator it does so at the first step only;
    ``raise_deferred`` raises errors of later steps, after their batches have been observed.
    """

    def __init__(self) -> None:
        self.step = 0
        self.verified = False
        self.scale_factor: float | None = None  # of the resizing, unless the ratio of the sizes determines it
        self._deferred: list[tuple[Comparison, Tensor, float]] = []

    @torch.no_grad()
    def check(self, captured: CapturedInput, logits: Tensor, align_corners: bool) -> None:
        """Check one step before its batch is observed; an accelerator defers errors of values after the first step."""
        check_shapes(captured, logits)
        if logits.numel() == 0:
            return
        tolerance, step = relative_tolerance(captured.features, logits), self.next()
        if not self.verified:
            self.verified, self.scale_factor = _whole_image(captured, logits, align_corners, tolerance)
            return
        sample = _one_position(captured, logits, align_corners, step, self.scale_factor)
        if on_cpu(logits):
            excess = float(sample.excess(captured.weight, tolerance))
            if 1 < excess < inf:  # infinite: an overflow in half precision, which a GradScaler skips
                raise RuntimeError(stale_logits(excess * tolerance))
            return
        self._deferred.append((sample, captured.weight.detach(), tolerance))

    def next(self) -> int:
        """Count one more step, and return its number, which determines the position to verify."""
        self.step += 1
        return self.step

    @torch.no_grad()
    def raise_deferred(self) -> None:
        """Raise RuntimeError if the logits of a step since the last call did not match the captured features."""
        deferred, self._deferred = self._deferred, []
        if not deferred:
            return
        samples, weights, tolerances = zip(*deferred, strict=True)
        typical = typical_logit(torch.cat([sample.features for sample in samples], dim=1), weights[-1])
        errors, logits = (torch.stack(torch._foreach_norm(tensors, torch.inf)) for tensors in (
            [sample.error for sample in samples], [sample.logits for sample in samples]))
        relative = (errors / (logits + typical + torch.finfo(errors.dtype).tiny)).nan_to_num(nan=0.0, posinf=0.0)
        found = zip(relative.tolist(), tolerances, strict=True)
        worst, error = max((error / tolerance, error) for error, tolerance in found)
        if worst > 1:  # an overflow in half precision has been replaced by 0
            raise RuntimeError(stale_logits(error))


def check_shapes(captured: CapturedInput, logits: Tensor) -> None:
    """Raise RuntimeError if the shape of the logits does not match the captured features."""
    features, classes = captured.features, len(captured.weight)
    expected = (features.shape[0], classes, *(logits.shape[2:] if features.dim() > 2 else ()))
    if tuple(logits.shape) != expected or logits.dim() != features.dim():
        remedy = f'Pass logits (B, {classes}, ...) as the convolution returns them, resized or not' \
            if features.dim() not in (2, logits.dim()) else 'Pass all logits of the last forward pass of the ' \
            'classifier, with ignored labels for those that do not count' if logits.shape[1:2] == (classes,) else \
            f'Flatten logits of tokens to (N, {classes}), with labels (N,), or attach the classifier of these logits'
        raise RuntimeError(f'captured features of shape {tuple(features.shape)} give logits (N, {classes}) or '
                           f'(B, {classes}, H, W), the loss got {tuple(logits.shape)}: another classifier computed '
                           f'them, or they were reshaped. {remedy}')


def _whole_image(captured: CapturedInput, logits: Tensor, align_corners: bool,
                 tolerance: float) -> tuple[bool, float | None]:
    """Verify the logits of the first image; return whether no overflow prevented this, and ``scale_factor_of``."""
    (small, typical), got, size = _first_image(captured), logits[:1].float(), tuple(logits.shape[2:])
    again = small if small.dim() == 2 else resize(small, size, align_corners)
    error, scale = float((again - got).abs().max()), float(again.abs().max())
    bound = tolerance * (scale + typical + 1e-6)
    if bound < error < inf:
        if size != small.shape[2:] and not align_corners and (factor := scale_factor_of(small, got, bound)):
            return True, factor
        if small.dim() > 2 and float((resize(small, size, not align_corners) - got).abs().max()) <= tolerance * scale:
            raise RuntimeError(f'the logits were upsampled with align_corners={not align_corners}, but the loss was '
                               f'attached with align_corners={align_corners}: call '
                               f'attach(loss, classifier, align_corners={not align_corners}), or with OpenMMLab set '
                               'align_corners of the head')
        maps = f' ({" x ".join(map(str, small.shape[2:]))} positions)' if small.dim() > 2 else ''
        raise RuntimeError(f'the logits of the captured features{maps} differ from the logits the loss got by '
                           f'{error:.3g} (largest logit {scale:.3g}, align_corners={align_corners}): ISDA needs logits '
                           'of a single classifier, resized bilinearly, from the last forward pass before the loss. A '
                           'cosine classifier needs its normalisation in a layer before it (docs/method_card.md)')
    return error <= bound, None  # after an overflow, check again at the next step


def _first_image(captured: CapturedInput) -> tuple[Tensor, float]:
    """Recompute the logits of the first sample, or of the first image before resizing, and their ``typical_logit``."""
    features, weight = captured.features, captured.weight.float()
    parts = [band for *_, band in features._replace(map=features.map[:1]).bands()] \
        if isinstance(features, Windows) else [features[:1]]
    parts = [part.float() for part in parts]
    products = [torch.einsum('ca,na...->nc...', weight, part) for part in parts]
    logits = torch.cat(products, dim=2 if len(parts) > 1 else 0)
    if captured.bias is not None:
        logits = logits + captured.bias.float().view(-1, *[1] * (logits.dim() - 2))
    return logits, max(float(typical_logit(part.movedim(1, 0).flatten(1), weight)) for part in parts)


def _one_position(captured: CapturedInput, logits: Tensor, align_corners: bool, step: int,
                  factor: float | None = None) -> Comparison:
    """Recompute the logits at the pixel of one feature, where interpolation needs the fewest neighbours."""
    features = captured.features
    neighbours: list[tuple[int, int, float]] = []
    if not isinstance(features, Windows) and features.dim() == 2:
        position = step * STRIDE % len(features)
        around, given = features[position][:, None, None], logits[position]
    else:
        images, _, *sizes = features.shape
        # A scale factor maps positions as if the sizes of the logits had not been rounded.
        large = [size * factor for size in sizes] if factor else logits.shape[2:]
        image, pixel, neighbours = Place.of(step, images, sizes, large, align_corners)
        # The interpolation may give a neighbour on either side 1e-7 of the share, where the exact share is 0.
        sides = [slice(max(first - 1, 0), min(second + 2, size)) for (first, second, _), size in
                 zip(neighbours, sizes, strict=True)]
        neighbours = [(first - side.start, second - side.start, share)
                      for (first, second, share), side in zip(neighbours, sides, strict=True)]
        around = features.of_images(slice(image, image + 1)).patch(*sides)[0] if isinstance(features, Windows) else \
            features[image][tuple([slice(None), *sides])]
        given = logits[image].movedim(0, -1)[tuple(pixel)]
    near, weight = around.flatten(1).float(), captured.weight.float()
    small = weight @ near if captured.bias is None else torch.addmm(captured.bias.float()[:, None], weight, near)
    again = small.view(len(weight), *around.shape[1:])
    for first, second, share in neighbours:
        again = again[:, first] if share == 0 else torch.lerp(again[:, first], again[:, second], share)
    return Comparison(small, again.flatten() - given.float(), near)


def stale_logits(error: float) -> str:
    """Return the message for logits of another forward pass; ``error`` is relative to their scale."""
    return (f'the features captured in the last forward pass of the classifier do not give the logits the loss got '
            f'(the error is {100 * error:.3g} % of their scale): call the loss on the logits of the last forward pass, '
            'before the classifier runs again. Run an extra pass without gradients inside torch.no_grad(). Merge an '
            'adapter, such as LoRA, that adds to them')
