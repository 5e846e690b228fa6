"""Heads of MMSegmentation with several classifiers, or without a supported one. Plain torch."""
from torch import nn

# Head -> name of the loss in the head -> classifiers of the logits of the loss, in the order of its calls in one step.
CLASSIFIERS: dict[str, dict[str, tuple[str, ...]]] = {
    'EncHead': {'loss_decode': ('conv_seg',)},
    'DDRHead': {'loss_decode.0': ('conv_seg',), 'loss_decode.1': ('aux_cls_seg',)},
    'PIDHead': {'loss_decode.0': ('p_cls_seg',), 'loss_decode.1': ('conv_seg',), 'loss_decode.3': ('conv_seg',)},
    'DAHead': {'loss_decode': ('conv_seg', 'pam_conv_seg', 'cam_conv_seg')},
}
MASK_CLASSIFICATION = 'it classifies masks instead of pixels, so it has no linear softmax classifier of pixels'
UNSUPPORTED = {
    'MaskFormerHead': MASK_CLASSIFICATION,
    'Mask2FormerHead': MASK_CLASSIFICATION,
    'SideAdapterCLIPHead': MASK_CLASSIFICATION,
    'SegmenterMaskTransformerHead': 'its logits are products with class embeddings that depend on the image, so it has '
                                    'no linear classifier',
}
FIRST_CALL_ONLY = {'IterativeDecodeHead': 'the later stages, whose kernels depend on the image, are not wrapped'}


def unsupported_reason(head: nn.Module) -> str | None:
    """Return why ISDA does not support this head; None if no reason is known."""
    return next((UNSUPPORTED[name] for name in _names(head) if name in UNSUPPORTED), None)


def classifiers(head: nn.Module, place: str) -> tuple[str, ...] | None:
    """Return the names of the classifiers of the loss at ``place`` (such as 'loss_decode.0'), in order of its calls.

    The result is None if the classifier has to be found by structure, and empty if the loss does not receive logits of
    a softmax classifier.
    """
    known = next((CLASSIFIERS[name] for name in _names(head) if name in CLASSIFIERS), None)
    if known is None:
        return None
    return next((names for where, names in known.items() if f'{place}.'.startswith(f'{where}.')), ())


def later_calls_note(parent: nn.Module | None) -> str | None:
    """Return a note if ``parent`` calls the loss of its head again, on logits without a classifier; None otherwise."""
    return next((FIRST_CALL_ONLY[name] for name in _names(parent) if name in FIRST_CALL_ONLY), None)


def _names(module: nn.Module | None) -> list[str]:
    """Return the names of a module's class and its base classes."""
    return [kind.__name__ for kind in type(module).__mro__]
