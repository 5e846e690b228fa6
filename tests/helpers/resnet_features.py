"""Features of a ResNet from a state dict with torchvision's names: the oracle of exported backbones."""
import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]
EPS = 1e-5


def features(state: State, images: Tensor) -> Tensor:
    """Compute the last feature map (B, A, h, w) of a ResNet at stride 32 in eval mode, from functional operations.

    Args:
        state: state dict of a network that ``read_architecture`` supports, in the images' dtype.
        images: (B, 3, H, W).
    """
    x = images
    if 'stem.0.weight' in state:
        for place, stride in ((0, 2), (3, 1), (6, 1)):
            x = F.relu(_conv_norm(state, x, f'stem.{place}', f'stem.{place + 1}', stride))
    else:
        x = F.relu(_conv_norm(state, x, 'conv1', 'bn1', 2))
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    for stage in (1, 2, 3, 4):
        block = 0
        while f'layer{stage}.{block}.conv1.weight' in state:
            x = _block(state, x, f'layer{stage}.{block}', 2 if stage > 1 and block == 0 else 1)
            block += 1
    return x


def _block(state: State, x: Tensor, name: str, stride: int) -> Tensor:
    shortcut = x
    if f'{name}.downsample.0.weight' in state:
        shortcut = _conv_norm(state, x, f'{name}.downsample.0', f'{name}.downsample.1', stride)
    if f'{name}.conv3.weight' in state:
        x = F.relu(_conv_norm(state, x, f'{name}.conv1', f'{name}.bn1', 1))
        x = F.relu(_conv_norm(state, x, f'{name}.conv2', f'{name}.bn2', stride))
        return F.relu(_conv_norm(state, x, f'{name}.conv3', f'{name}.bn3', 1) + shortcut)
    x = F.relu(_conv_norm(state, x, f'{name}.conv1', f'{name}.bn1', stride))
    return F.relu(_conv_norm(state, x, f'{name}.conv2', f'{name}.bn2', 1) + shortcut)


def _conv_norm(state: State, x: Tensor, conv: str, norm: str, stride: int) -> Tensor:
    weight = state[f'{conv}.weight']
    x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=x.shape[1] // weight.shape[1])
    mean, variance, scale, shift = (state[f'{norm}.{part}'] for part in ('running_mean', 'running_var', 'weight',
                                                                         'bias'))
    return F.batch_norm(x, mean, variance, scale, shift, eps=EPS)


def fixed_image(dtype: torch.dtype = torch.float64) -> Tensor:
    """Return the fixed image (1, 3, 64, 96) on which features are compared."""
    grid = torch.arange(3 * 64 * 96, dtype=dtype).view(1, 3, 64, 96)
    return 2 * torch.sin(0.37 * grid) + torch.cos(0.011 * grid)
