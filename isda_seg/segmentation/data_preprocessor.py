"""MMSegmentation's data preprocessor with errors that name the images and the remedy."""
from typing import Any

from mmengine.config import Config
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS

from isda_seg.core.ops.checks import listed
from isda_seg.openmmlab.config_nodes import named_dicts, type_name

SIZES = ('size', 'size_divisor')


@MODELS.register_module()
class CheckedSegDataPreProcessor(SegDataPreProcessor):
    """SegDataPreProcessor that raises a ValueError for images that cannot be stacked or labels of another size."""

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return ``inputs`` (B, 3, H, W) and ``data_samples``, as the base class does."""
        inputs = data['inputs']
        samples = data.get('data_samples') or [{}] * len(inputs)
        for image, sample in zip(inputs, samples, strict=True) if training else ():
            check_label_size('train', image, sample)
        shapes = [tuple(image.shape[-2:]) for image in inputs]
        if training and self.size is not None:
            shapes = [(max(height, self.size[-2]), max(width, self.size[-1])) for height, width in shapes]
        if len(set(shapes)) > 1 and not (training and self.size_divisor is not None):
            names = [f'{image.shape[-1]} x {image.shape[-2]} ({sample.get("img_path")})'
                     for image, sample in zip(inputs, samples, strict=True)]
            raise ValueError(f'the images of a batch have different sizes: {listed(names, 4)}. '
                             + ('They must fit into model.data_preprocessor.size: add RandomCrop to the training '
                                'pipeline, or set model.data_preprocessor.size_divisor instead of size' if training
                                else 'Set val_dataloader.batch_size=1 and test_dataloader.batch_size=1'))
        return super().forward(data, training)


def check_label_size(split: str, image: Any, sample: Any) -> None:
    """Check that the label map of a sample has the size of the image in training, else of the image file."""
    wanted = image.shape[-2:] if split == 'train' else sample.get('ori_shape', ())[:2]
    found = tuple(sample.gt_sem_seg.shape) if 'gt_sem_seg' in sample and wanted else wanted
    if found != tuple(wanted):
        whole, place = ('the image is', 'before') if split == 'train' else (
            'predictions have the size of the image file,', 'after')
        raise ValueError(f'the label map of {sample.get("img_path")} is {found[1]} x {found[0]} after '
                         f'{split}_dataloader.dataset.pipeline, but {whole} {wanted[1]} x {wanted[0]}. Put '
                         f'LoadAnnotations {place} the transforms that change the size of the image, such as Resize')


def check_preprocessor(cfg: Config, training: bool) -> None:
    """Use ``CheckedSegDataPreProcessor``, which has ``size`` or ``size_divisor``, in the model of a config."""
    for name, node in [*named_dicts(cfg.model, 'model')]:
        if type_name(node) != 'SegDataPreProcessor':
            continue
        for where, part in ((name, node if training else {}), (f'{name}.test_cfg', node.get('test_cfg') or {})):
            given = [key for key in SIZES if part.get(key) is not None]
            if part and len(given) != 1:
                raise ValueError(f'{where} needs either size or size_divisor, but has {"both" if given else "neither"}.'
                                 + (f' Remove one: {where}.size_divisor=None' if given else
                                    f' Set {where}.size to the crop size, such as {where}.size="(512,512)", or set '
                                    f'{where}.size_divisor=32'))
        node['type'] = CheckedSegDataPreProcessor.__name__
