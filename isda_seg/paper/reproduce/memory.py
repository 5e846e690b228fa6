"""Lower bound of the GPU memory of a training step, from the model on the meta device."""
import copy
import warnings
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor

from isda_seg import compat
from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.run import DETECTION, task_name
from isda_seg.runtime.launch import plain_batch_norm

STATES = 3  # of each parameter: weight, gradient, momentum


def step_bytes(cfg: Config) -> int:
    """Return the bytes that a training step in float32 needs at least.

    These are the weights, their gradients and momentum, and the tensors that a forward pass of a batch saves for the
    backward pass. A detector is counted without its heads, a semi-supervised model without its unlabelled images. The
    loss, workspaces of convolutions and fragmentation are not included.
    """
    cfg, saved = copy.deepcopy(cfg), dict[int, torch.UntypedStorage]()
    plain_batch_norm(cfg.model)

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage  # kept, so that no other storage gets its address
        return tensor

    with warnings.catch_warnings(), torch.device('meta'), DefaultScope.overwrite_default_scope(
            cfg.get('default_scope', 'mmengine')):
        warnings.simplefilter('ignore')  # of MMSegmentation, about its own config keys
        compat.import_segmentation()
        model: Any = MODELS.build(cfg.model).train()
        images = torch.empty(int(cfg.train_dataloader.batch_size), 3, *image_size(cfg))
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            output = model.extract_feat(images) if task_name(cfg) == DETECTION else model(images, mode='tensor')
    del output
    weights = {each.untyped_storage()._cdata: each.untyped_storage().nbytes() for each in model.parameters()}
    return STATES * sum(weights.values()) + sum(
        storage.nbytes() for address, storage in saved.items() if address not in weights)


def image_size(cfg: Config) -> tuple[int, int]:
    """Return height and width of the training images: that of the last crop, else of the last resize."""
    size: Any = None
    for step in dicts(cfg.train_dataloader):
        if 'Crop' in type_name(step):
            size = step.get('crop_size') or step.get('size')
        elif type_name(step) == 'Resize' and size is None:
            size = tuple(step['scale'])[::-1]
    if size is None:
        raise ValueError(f'{cfg.filename}: the size of the training images is not known, because the pipeline has '
                         'neither a Crop nor a Resize: add one')
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
