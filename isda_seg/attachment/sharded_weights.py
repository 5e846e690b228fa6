"""Parameters of which ``fully_shard`` keeps a part on each rank, as a whole."""
from typing import Any

import torch
from torch import Tensor


def whole(parameter: Any) -> Tensor:
    """The parameter, gathered from all ranks where it is sharded, which all ranks have to ask for.

    Its gradient is the mean over ranks, as ``fully_shard`` takes it of all other gradients.

    Raises:
        RuntimeError: ``FullyShardedDataParallel`` has taken it back.
    """
    if not hasattr(parameter, 'full_tensor'):
        if parameter._is_view() and parameter.numel() and parameter.untyped_storage().size() == 0:
            raise taken_back()
        plain: Tensor = parameter
        return plain
    from torch.distributed.tensor import Partial  # slow to load, and not in every build of torch
    ranks = parameter.device_mesh.size()
    gathered: Any = parameter.full_tensor(grad_placements=[Partial()] * parameter.device_mesh.ndim)
    if gathered.requires_grad and torch.is_grad_enabled():
        gathered.register_hook(lambda grad: grad / ranks)
    result: Tensor = gathered
    return result


def taken_back() -> RuntimeError:
    """What a parameter means that is empty, or a flat part, when the loss is called."""
    return RuntimeError("the classifier's weight is not here when the loss is called, because FullyShardedDataParallel "
                        'lends it to the forward pass of its unit alone: call the loss in the forward pass of the '
                        'outermost unit and leave the classifier to that unit, or shard with '
                        'torch.distributed.fsdp.fully_shard')
