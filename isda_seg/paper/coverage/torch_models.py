"""Small, randomly initialised segmentation models of libraries other than OpenMMLab; nothing is downloaded."""
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

CLASSES = 5
SMALL = dict(num_labels=CLASSES)


class Candidate(NamedTuple):
    """Model with access to its logits and the name of its classifier."""
    library: str
    name: str
    build: Callable[[], nn.Module]
    logits: Callable[[Any], Tensor]          # extracts the logits from the model output
    classifier: Callable[[nn.Module], str]   # dotted name of the classifier in the built model
    align_corners: bool = False              # for the resize between classifier and loss
    size: int = 64                           # height and width of the images


def candidates(libraries: list[str]) -> Iterator[Candidate]:
    """Yield the models of the selected libraries, importing only these."""
    found = {'transformers': of_transformers, 'torchvision': of_torchvision,
             'segmentation-models-pytorch': of_segmentation_models}
    without_compiled_operators()
    for library in libraries:
        yield from found[library]()


def versions(libraries: list[str]) -> dict[str, str]:
    """Return the installed versions of the libraries."""
    return {library: version(library) for library in libraries}


def of_transformers() -> Iterator[Candidate]:
    """Yield models of transformers; logits are smaller than the image, except for UperNet and DPT."""
    import transformers as t
    vit = dict(SMALL, image_size=64, patch_size=16, hidden_size=32, num_hidden_layers=4, num_attention_heads=2,
               intermediate_size=32)
    resnet = dict(embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1] * 4, layer_type='basic',
                  out_features=[f'stage{i}' for i in range(1, 5)])
    configs = {
        'Segformer': lambda: t.SegformerConfig(**SMALL, hidden_sizes=[8, 16, 16, 16], depths=[1] * 4,
                                               num_attention_heads=[1] * 4, decoder_hidden_size=16),
        'UperNet': lambda: t.UperNetConfig(**SMALL, backbone_config=t.ResNetConfig(**resnet), hidden_size=16,
                                           pool_scales=[1, 2], auxiliary_in_channels=16, auxiliary_channels=8),
        'MobileNetV2': lambda: t.MobileNetV2Config(**SMALL, depth_multiplier=0.35, output_stride=8),
        'MobileViT': lambda: t.MobileViTConfig(**SMALL, hidden_sizes=[16, 24, 32], num_attention_heads=2,
                                               neck_hidden_sizes=[8, 8, 16, 16, 16, 16, 32], image_size=64),
        'Beit': lambda: t.BeitConfig(**vit, out_indices=[1, 2, 3, 4]),
        'DPT': lambda: t.DPTConfig(**vit, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 16, 16, 16],
                                   fusion_hidden_size=16)}
    layers = {'MobileNetV2': 'segmentation_head.classifier.convolution',
              'MobileViT': 'segmentation_head.classifier.convolution', 'DPT': 'head.head.4'}
    for name, config in configs.items():
        model = getattr(t, f'{name}ForSemanticSegmentation')
        layer = layers.get(name, 'decode_head.classifier')
        yield Candidate('transformers', model.__name__, lambda model=model, config=config: model(config()),  # type: ignore[misc]
                        attrgetter('logits'), lambda _, layer=layer: layer,  # type: ignore[misc]
                        align_corners=name == 'DPT')


def of_torchvision() -> Iterator[Candidate]:
    """Yield torchvision models; logits have the size of the image, and auxiliary logits are a separate output."""
    from torchvision.models import segmentation
    for name in ('fcn_resnet50', 'deeplabv3_resnet50', 'deeplabv3_mobilenet_v3_large'):
        build = getattr(segmentation, name)
        yield Candidate('torchvision', name, partial(build, weights=None, weights_backbone=None, num_classes=CLASSES),
                        itemgetter('out'), partial(last_convolution, child='classifier'))


def of_segmentation_models() -> Iterator[Candidate]:
    """Yield a model per decoder of the installed segmentation-models-pytorch."""
    import segmentation_models_pytorch as smp
    for model in sorted(smp.MODEL_ARCHITECTURES_MAPPING.values(), key=lambda model: model.__name__):
        dpt = model.__name__ == 'DPT'
        encoder = dict(encoder_name='tu-vit_tiny_patch16_224') if dpt else dict(encoder_name='resnet18')
        yield Candidate('segmentation-models-pytorch', model.__name__,
                        partial(model, **encoder, encoder_weights=None, classes=CLASSES), lambda output: output,
                        partial(last_convolution, child='segmentation_head'), align_corners=True,
                        size=224 if dpt else 128)


def last_convolution(model: nn.Module, child: str = '') -> str:
    """Return the dotted name of the last convolution of a model, or of one of its children."""
    return [name for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d) and name.startswith(child)][-1]


def without_compiled_operators() -> None:
    """Make torchvision importable with an incompatible torch build; segmentation models need no compiled operators."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        return
    except RuntimeError:  # torchvision looks up some missing operators by name during its import
        library = torch.library.Library('torchvision', 'DEF')
        for name in ('nms', 'qnms'):
            library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        _DEFINED.append(library)  # the operators exist as long as the library object


_DEFINED: list[Any] = []
