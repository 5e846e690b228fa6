"""BigGAN-deep (Brock et al., 2019) from local files: weights converted by Hugging Face, read by their package.

Nothing is downloaded. The folder must contain ``config.json`` and ``pytorch_model.bin``, the files of biggan-deep-128,
-256 or -512 under these names.
"""
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.paper.generators.generator import GeneratorAdapter
from isda_seg.runtime.weights import coverage

PACKAGE, CONFIG, WEIGHTS = 'pytorch_pretrained_biggan', 'config.json', 'pytorch_model.bin'
TRUNCATION = 1.0  # no truncation, as in the authors' code


class BigGANDeep(GeneratorAdapter):
    """Adapter of the package's ``BigGAN``; labels are the 1,000 ImageNet classes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        config: Any = network.config
        self.z_dim, self.resolution, self.num_classes = config.z_dim, config.output_dim, config.num_classes

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Generate images from codes and ImageNet labels."""
        return self.network(z, self.one_hot(y).to(z.dtype), TRUNCATION)


def read_big_gan(folder: str | Path) -> BigGANDeep:
    """Read BigGAN-deep from a folder, in eval mode.

    Raises:
        ImportError: the package is missing or incompatible.
        FileNotFoundError, ValueError: a file is missing, damaged or lacks weights.
    """
    package = _package()
    for name in (CONFIG, WEIGHTS):
        if not Path(folder, name).is_file():
            raise FileNotFoundError(f'{folder} contains no {name}. BigGAN-deep needs a folder with {CONFIG} and '
                                    f'{WEIGHTS}, the files of biggan-deep-128, -256 or -512 under these names')
    try:
        network = package.BigGAN(package.BigGANConfig.from_json_file(str(Path(folder, CONFIG))))
        state = torch.load(Path(folder, WEIGHTS), map_location='cpu', weights_only=True)
        found = coverage(network.state_dict(), state)
    except Exception as error:  # damaged files raise many kinds of errors
        raise ValueError(f'cannot load BigGAN-deep from {folder}: {CONFIG} or {WEIGHTS} is damaged or belongs to '
                         f'another model ({error}). Download both again') from error
    if found.missing or found.reshaped:
        raise ValueError(f'the weights {WEIGHTS} in {folder} do not match {CONFIG}: {found}')
    network.load_state_dict(state, strict=False)
    return BigGANDeep(network).eval()


def _package() -> ModuleType:
    try:
        package = import_module(PACKAGE)
    except ImportError as error:
        raise ImportError(f'BigGAN-deep needs the package {PACKAGE}: pip install pytorch-pretrained-biggan') from error
    missing = [name for name in ('BigGAN', 'BigGANConfig') if not hasattr(package, name)]
    if missing:
        raise ImportError(f'the package {PACKAGE} has no {" and no ".join(missing)}. Install version 0.1.1')
    return package
