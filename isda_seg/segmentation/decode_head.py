"""Decode head of a config: its ignored label, and whether its logits belong to a softmax over the classes."""
import inspect
from typing import Any

from mmengine.config import Config
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS

from isda_seg.attachment.base_losses import is_softmax
from isda_seg.attachment.supported_heads import MASK_CLASSIFICATION, reason_of
from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.runtime.config_keys import class_of

VOID = 255  # MMSegmentation's default ``ignore_index``, and its value for label 0 with reduce_zero_label
MULTI_CLASS = ('ISDALoss', 'DiceLoss', 'LovaszLoss', 'TverskyLoss')  # these use a softmax too, unless a key changes it


def decode_head(cfg: Config) -> dict[str, Any]:
    """Return the config of the decode head, the last one of a cascade; {} if the model has none.

    That of K-Net is the head that makes its kernels and holds its number of classes. The model may be wrapped for
    test-time augmentation.
    """
    model = cfg.model
    while 'module' in model:
        model = model['module']
    head: Any = model.get('decode_head') or {}
    head = head[-1] if isinstance(head, (list, tuple)) else head
    return head.get('kernel_generate_head', head)


def ignored(cfg: Config) -> int:
    """Return the ``ignore_index`` of the decode head, by default MMSegmentation's 255."""
    return int(decode_head(cfg).get('ignore_index', VOID))


def reason_not_multi_class(cfg: Config) -> str | None:
    """Return why the logits of the decode head are not those of a softmax over its classes; None if they are."""
    head = decode_head(cfg)
    kind = class_of(head, MODELS)
    if isinstance(kind, type) and reason_of(kind) == MASK_CLASSIFICATION:
        return f'{type_name(head)} classifies masks instead of pixels'
    outputs, classes = head.get('out_channels'), head.get('num_classes')
    if outputs not in (None, classes):
        return f'the decode head has {outputs} outputs for {classes} classes'
    losses = head.get('loss_decode')
    if losses is None:
        known = isinstance(kind, type) and issubclass(kind, BaseDecodeHead)
        return None if known else f'{type_name(head)} has no softmax over its classes'
    losses = list(losses) if isinstance(losses, (list, tuple)) else [losses]
    if any(map(_is_multi_class, losses)):
        return None
    return f'{", ".join(map(type_name, losses))} is not a known softmax loss'


def _is_multi_class(loss: dict[str, Any]) -> bool:
    kind = class_of(loss, MODELS)
    known = inspect.signature(kind).parameters if isinstance(kind, type) else {}
    sigmoid = loss.get('use_sigmoid', known['use_sigmoid'].default if 'use_sigmoid' in known else False)
    softmax = type_name(loss) in MULTI_CLASS or isinstance(kind, type) and is_softmax(kind)
    return bool(softmax) and not sigmoid and loss.get('loss_type') != 'binary'
