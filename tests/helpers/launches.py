"""What a device would be asked to do: kernels launched, and times the host waits for one.

Tensors on the device 'meta' have shapes and no values. All code that is not for a host runs on them as on a GPU, and
whatever needs a value, which on a GPU is a wait, is refused by torch.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

FREE = ('detach', 'view', '_unsafe_view', 'reshape', 'alias', 'expand', 't', 'transpose', 'permute', 'slice', 'select',
        'unsqueeze', 'squeeze', 'split', 'unbind', 'as_strided', 'diagonal', 'movedim', 'empty', 'new_empty',
        'empty_like', 'empty_strided', 'split_with_sizes', 'unfold', 'lift_fresh', 'new_empty_strided', 'promote_types')
SEVERAL = dict(nll_loss_backward=2, nll_loss2d_backward=2, masked_fill=2, constant_pad_nd=2, logsumexp=6, cat=1)


class Launches(TorchDispatchMode):
    """Counts while it is active; an operation known to be several kernels counts as these.

    Attributes:
        names: of the operations.
        copies: operations that mix tensors of the host with those of the device.
    """

    def __init__(self):
        super().__init__()
        self.names, self.copies = [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        flat = [tensor for tensor in tree_flatten((args, kwargs))[0] if isinstance(tensor, torch.Tensor)]
        self.copies += len({tensor.device.type for tensor in flat}) > 1
        packet = function.overloadpacket.__name__
        if packet not in FREE:
            self.names += [packet] * SEVERAL.get(packet, 1)
        return function(*args, **(kwargs or {}))

    @property
    def count(self):
        return len(self.names)
