"""All-gather of parameters that ``fully_shard`` has sharded."""
from typing import Any

import torch
from torch import Tensor

from isda_seg.core.ops.torch_versions import partial_sum


def whole(parameter: Any) -> Tensor:
    """Return the parameter, all-gathered if it is sharded. This is a collective operation of all ranks.

    Its gradient is averaged over ranks, like all gradients under ``fully_shard``.
    """
    if not hasattr(parameter, 'full_tensor'):
        if parameter._is_view() and parameter.numel() and parameter.untyped_storage().size() == 0:
            raise weight_unavailable()
        plain: Tensor = parameter
        return plain
    ranks = parameter.device_mesh.size()
    gathered: Any = parameter.full_tensor(grad_placements=[partial_sum()] * parameter.device_mesh.ndim)
    if gathered.requires_grad and torch.is_grad_enabled():
        gathered.register_hook(lambda grad: grad / ranks)
    result: Tensor = gathered
    return result


def weight_unavailable() -> RuntimeError:
    """Return the error for a weight that is empty or flattened when the loss is called."""
    return RuntimeError("the classifier's weight is not available when the loss is called, because "
                        'FullyShardedDataParallel unshards it only during the forward of its FSDP unit: call the loss '
                        'in the forward pass of the outermost unit and leave the classifier to that unit, or shard '
                        'with torch.distributed.fsdp.fully_shard')
