"""Decode head of a config: its classes, its ignored label, and whether its logits are those of a softmax."""
import copy
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS

from isda_seg.attachment.supported_heads import MASK_CLASSIFICATION, unsupported_reason
from isda_seg.attachment.supported_losses import is_softmax
from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.runtime.config_keys import argument, type_of
from isda_seg.runtime.isolation import random_states_kept

IGNORED = 255  # MMSegmentation's default ``ignore_index``, and its value for label 0 with reduce_zero_label
MULTI_CLASS = ('ISDALoss', 'DiceLoss', 'LovaszLoss', 'TverskyLoss')  # these use a softmax too, unless a key changes it


def decode_head(cfg: Config) -> dict[str, Any]:
    """Return the config of the decode head, the last one of a cascade; {} if the model has none.

    That of K-Net is the head that makes its kernels and holds its number of classes. The model may be wrapped for
    test-time augmentation.
    """
    model = cfg.get('model') or {}
    while 'module' in model:
        model = model['module']
    head: Any = model.get('decode_head') or {}
    head = head[-1] if isinstance(head, (list, tuple)) else head
    return head.get('kernel_generate_head', head)


def attribute(head: dict[str, Any], name: str, otherwise: Any) -> Any:
    """Return an attribute of a head; ``otherwise`` if neither its config nor its class sets it.

    A class of another package than MMSegmentation is built, because it may set the attribute itself.
    """
    default = argument(head, name, MODELS, otherwise)
    if name in head or getattr(type_of(head, MODELS), '__module__', 'mmseg').startswith('mmseg'):
        return default
    try:
        with DefaultScope.overwrite_default_scope('mmseg'), random_states_kept():
            built = MODELS.build({key: copy.deepcopy(value) for key, value in head.items() if key != 'loss_decode'})
    except Exception:  # of a head that needs compiled operators or its losses
        return default
    return getattr(built, name, default)


def num_classes(cfg: Config) -> int:
    """Return the number of classes of the decode head, or of the last head of a cascade; 0 if it is unknown."""
    return int(attribute(decode_head(cfg), 'num_classes', None) or 0)


def ignored(cfg: Config) -> int:
    """Return the ``ignore_index`` of the decode head."""
    label = attribute(decode_head(cfg), 'ignore_index', IGNORED)
    if not isinstance(label, int):
        raise ValueError(f'model.decode_head.ignore_index must be an integer, got {label!r}. Set it to a label that is '
                         f'not a class, such as {IGNORED}')
    return label


def reason_not_multi_class(cfg: Config) -> str | None:
    """Return why the logits of the decode head are not those of a softmax over its classes; None if they are."""
    head = decode_head(cfg)
    kind = type_of(head, MODELS)
    if isinstance(kind, type) and unsupported_reason(kind) == MASK_CLASSIFICATION:
        return f'{type_name(head)} classifies masks instead of pixels'
    outputs, classes = head.get('out_channels'), head.get('num_classes')
    if outputs not in (None, classes):
        return f'the decode head has {outputs} outputs for {classes} classes'
    if getattr(kind, 'predict_by_feat', BaseDecodeHead.predict_by_feat) is not BaseDecodeHead.predict_by_feat:
        return f'{type_name(head)} has its own predict_by_feat, whose result need not be logits'
    losses = argument(head, 'loss_decode', MODELS)
    if losses is None:
        return f'{type_name(head)} has no softmax over its classes'
    losses = list(losses) if isinstance(losses, (list, tuple)) else [losses]
    binary = [loss for loss in losses if argument(loss, 'loss_type', MODELS) == 'binary' or any(
        argument(loss, key, MODELS) for key in ('use_sigmoid', 'use_mask'))]
    wrong = [loss for loss in binary if type_name(loss) not in MULTI_CLASS]  # Dice with sigmoid may complement softmax
    if not wrong and any(type_name(loss) in MULTI_CLASS or isinstance(kind := type_of(loss, MODELS), type)
                         and is_softmax(kind) for loss in losses if loss not in binary):
        return None
    return f'{", ".join(map(type_name, wrong or losses))} is not a known softmax loss'
