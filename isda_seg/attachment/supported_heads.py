"""Heads of MMSegmentation and MMDetection with several classifiers, or without a supported one. Plain torch."""
from torch import nn

# Head -> name of the loss in the head -> classifiers of the logits of the loss, in the order of its calls in one step.
CLASSIFIERS: dict[str, dict[str, tuple[str, ...]]] = {
    'EncHead': {'loss_decode': ('conv_seg',)},
    'DDRHead': {'loss_decode.0': ('conv_seg',), 'loss_decode.1': ('aux_cls_seg',)},
    'PIDHead': {'loss_decode.0': ('p_cls_seg',), 'loss_decode.1': ('conv_seg',), 'loss_decode.3': ('conv_seg',)},
    'DAHead': {'loss_decode': ('conv_seg', 'pam_conv_seg', 'cam_conv_seg')},
    'BBoxHead': {'loss_cls': ('fc_cls',)},
}
ANCHORS = 'its classifier runs once for each feature level, and its logits are those of several anchors or levels'
COSINE = 'its classifier normalises weight and features, so its logits are not linear in the features'
MASK_CLASSIFICATION = 'it classifies masks instead of pixels, so it has no linear softmax classifier of pixels'
UNSUPPORTED = {
    'MaskFormerHead': MASK_CLASSIFICATION,
    'Mask2FormerHead': MASK_CLASSIFICATION,
    'SideAdapterCLIPHead': MASK_CLASSIFICATION,
    'SegmenterMaskTransformerHead': 'its logits are products with class embeddings that depend on the image, so it has '
                                    'no linear classifier',
    'AnchorHead': ANCHORS,
    'AnchorFreeHead': ANCHORS,
    'DETRHead': 'it calls the loss for every decoder layer on logits of a single forward pass of its classifier',
    'MultiInstanceBBoxHead': 'it has several classifiers, and its loss is the smaller one of two assignments',
    'PISARoIHead': 'it calls the loss a second time, on the logits of the positive proposals, to weight them (ISR-P)',
    'PanopticFPNHead': 'it flattens its logits (B, C, H, W) to (N, C) before the loss',
    'RoIEmbedHead': 'its logits are similarities to the objects of another image, so it has no linear classifier',
    'NormedLinear': COSINE,
    'NormedConv2d': COSINE,
}
FIRST_CALL_ONLY = {'IterativeDecodeHead': 'the later stages, whose kernels depend on the image, are not wrapped'}


def unsupported_reason(kind: type) -> str | None:
    """Return why ISDA does not support heads, or classifiers, of this class; None if no reason is known."""
    return next((UNSUPPORTED[name] for name in _names(kind) if name in UNSUPPORTED), None)


def classifiers(head: nn.Module, path: str) -> tuple[str, ...] | None:
    """Return the names of the classifiers of the loss at ``path`` (such as 'loss_decode.0'), in order of its calls.

    The result is None if the classifier has to be found by structure, and empty if the loss does not receive logits of
    a softmax classifier. A head of another package declares an attribute ``isda_classifiers``, in the form of an entry
    of ``CLASSIFIERS``.
    """
    known = getattr(head, 'isda_classifiers', None)
    if known is None:  # an empty declaration is one
        known = next((CLASSIFIERS[name] for name in _names(type(head)) if name in CLASSIFIERS), None)
    if known is None:
        return None
    return next((names for where, names in known.items() if f'{path}.'.startswith(f'{where}.')), ())


def background_of(head: nn.Module, outputs: int) -> int | None:
    """Return the background class, the last one of ``num_classes + 1`` outputs; None for a head without background."""
    classes = getattr(head, 'num_classes', None)
    return classes if outputs - 1 == classes else None


def later_calls_note(parent: nn.Module | None) -> str | None:
    """Return a note if ``parent`` calls the loss of its head again, on logits without a classifier; None otherwise."""
    return next((FIRST_CALL_ONLY[name] for name in _names(type(parent)) if name in FIRST_CALL_ONLY), None)


def _names(kind: type) -> list[str]:
    """Return the names of a class and its base classes."""
    return [base.__name__ for base in kind.__mro__]
