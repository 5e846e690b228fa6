"""What is known about MMSegmentation's heads whose losses do not all belong to one classifier. Plain torch."""
from torch import nn

# Head -> where a loss stands in it -> the classifiers of the logits it gets, in the order of its calls in one step.
CLASSIFIERS: dict[str, dict[str, tuple[str, ...]]] = {
    'EncHead': {'loss_decode': ('conv_seg',)},
    'DDRHead': {'loss_decode.0': ('conv_seg',), 'loss_decode.1': ('aux_cls_seg',)},
    'PIDHead': {'loss_decode.0': ('p_cls_seg',), 'loss_decode.1': ('conv_seg',), 'loss_decode.3': ('conv_seg',)},
    'DAHead': {'loss_decode': ('conv_seg', 'pam_conv_seg', 'cam_conv_seg')},
}
OF_MASKS = 'it classifies masks, not pixels: no linear classifier gives it a softmax over the classes of a pixel'
REFUSED = {
    'MaskFormerHead': OF_MASKS,
    'Mask2FormerHead': OF_MASKS,
    'SideAdapterCLIPHead': OF_MASKS,
    'SegmenterMaskTransformerHead': 'its logits are products with class embeddings that are made anew for each image: '
                                    'it has no linear classifier',
}
FIRST_CALL_ONLY = {'IterativeDecodeHead': 'the later stages, whose kernels are made anew for each image, stay plain'}


def refusal(head: nn.Module) -> str | None:
    """Why no loss of this head can be served; None where that is not known."""
    return next((REFUSED[name] for name in _names(head) if name in REFUSED), None)


def classifiers(head: nn.Module, place: str) -> tuple[str, ...] | None:
    """Names of the classifiers whose logits the loss at ``place`` ('loss_decode.0') gets, call by call.

    None: to be found by structure; empty: the loss is known to get the logits of no softmax classifier.
    """
    known = next((CLASSIFIERS[name] for name in _names(head) if name in CLASSIFIERS), None)
    if known is None:
        return None
    return next((names for where, names in known.items() if f'{place}.'.startswith(f'{where}.')), ())


def later_calls(parent: nn.Module | None) -> str | None:
    """What to say of a loss that its head's parent calls again on logits of no classifier; None: no such parent."""
    return next((FIRST_CALL_ONLY[name] for name in _names(parent) if name in FIRST_CALL_ONLY), None)


def _names(module: nn.Module | None) -> list[str]:
    """Of a module's class and of those it inherits from."""
    return [kind.__name__ for kind in type(module).__mro__]
