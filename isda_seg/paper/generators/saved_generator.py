"""Load generators (tools/train_generator.py or BigGAN-deep) and write generated images."""
from pathlib import Path
from typing import Any

import cv2
import torch

from isda_seg.paper.generators.big_gan import read_big_gan
from isda_seg.paper.generators.dcgan import DCGANGenerator, LabelledGenerator
from isda_seg.paper.generators.generator import GeneratorAdapter, sample_codes

BATCH = 100  # batch size of generated images
KEYS = ('kind', 'shape', 'settings', 'images', 'steps', 'generator', 'critic', 'optimizers')


def read_training(path: str | Path) -> dict[str, Any]:
    """Load the state dict written by tools/train_generator.py.

    Raises:
        FileNotFoundError, ValueError: the file does not exist, or was not written by this tool.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'the generator {path} does not exist. Train one with python tools/train_generator.py '
                                'CONFIG')
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # damaged files raise many kinds of errors
        raise ValueError(f'{path} is damaged or was not written by tools/train_generator.py. Use a .pth file written '
                         'by this tool') from error
    missing = [key for key in KEYS if not isinstance(state, dict) or key not in state]
    if missing:
        raise ValueError(f'{path} was not written by tools/train_generator.py: missing {", ".join(missing)}')
    return state


def read_generator(path: str | Path) -> GeneratorAdapter:
    """Load a generator in eval mode from a file of tools/train_generator.py or, for BigGAN-deep, from a folder.

    Raises:
        ImportError, FileNotFoundError, ValueError: see ``read_training`` and ``read_big_gan``.
    """
    if Path(path).is_dir():
        return read_big_gan(path)
    state = read_training(path)
    generator = (LabelledGenerator if 'num_classes' in state['shape'] else DCGANGenerator)(**state['shape'])
    generator.load_state_dict(state['generator'])
    return generator.eval()


@torch.no_grad()
def write_images(generator: GeneratorAdapter, folder: Path, count: int, seed: int = 0,
                 label: int | None = None) -> None:
    """Write ``count`` seeded images, for conditional generators of one class, as ``00000.png`` and so on.

    Raises:
        FileExistsError: the folder contains other images, which would be mixed with the generated ones.
    """
    names = [f'{number:05d}.png' for number in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    if others := {path.name for path in folder.iterdir()} - set(names):
        raise FileExistsError(f'{folder} contains other images, such as {min(others)}. Remove them or set another '
                              '--work-dir')
    codes = sample_codes(count, generator.z_dim, seed).split(BATCH)
    labels = [None if label is None else torch.full((len(z),), label) for z in codes]
    images = torch.cat([(255 * generator.images(z, y)).round().to(torch.uint8)
                        for z, y in zip(codes, labels, strict=True)])
    for name, image in zip(names, images.permute(0, 2, 3, 1).numpy(), strict=True):
        cv2.imwrite(str(folder / name), image[..., ::-1])  # RGB to BGR
