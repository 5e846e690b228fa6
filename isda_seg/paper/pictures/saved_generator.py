"""Loading of generators (tools/train_generator.py or BigGAN-deep) and writing of their images."""
from pathlib import Path
from typing import Any

import cv2
import torch

from isda_seg.paper.pictures.big_gan import read_big_gan
from isda_seg.paper.pictures.dcgan import DCGANGenerator
from isda_seg.paper.pictures.generator import GeneratorAdapter, draw_codes
from isda_seg.paper.pictures.labelled_generator import LabelledGenerator

BATCH = 100  # images at a time, of those that are written
KEYS = ('kind', 'shape', 'settings', 'images', 'steps', 'generator', 'critic', 'optimizers')


def read_training(path: str | Path) -> dict[str, Any]:
    """What ``GANTraining.state_dict`` was, from a file of tools/train_generator.py.

    Raises:
        FileNotFoundError, ValueError: no such file, or another one.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no generator {path}: train one with python tools/train_generator.py CONFIG')
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ValueError(f'{path} is damaged or not a file of tools/train_generator.py. Use a .pth file written by '
                         'this tool.') from error
    missing = [key for key in KEYS if not isinstance(state, dict) or key not in state]
    if missing:
        raise ValueError(f'{path} is no file of tools/train_generator.py: it holds no {", ".join(missing)}')
    return state


def read_generator(path: str | Path) -> GeneratorAdapter:
    """A generator in eval mode: of a file of tools/train_generator.py, or BigGAN-deep of a folder.

    Raises:
        ImportError, FileNotFoundError, ValueError: as ``read_training`` and ``read_big_gan``.
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
    """``count`` images of a generator, of one class if it has any, as ``00000.png`` and so on; seeded.

    Raises:
        FileExistsError: the folder holds other images, which would be taken for its own.
    """
    names = [f'{number:05d}.png' for number in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    if others := {path.name for path in folder.iterdir()} - set(names):
        raise FileExistsError(f'{folder} holds other images, such as {min(others)}: remove them, or set another '
                              '--work-dir')
    codes = draw_codes(count, generator.z_dim, seed).split(BATCH)
    labels = [None if label is None else torch.full((len(z),), label) for z in codes]
    images = torch.cat([(255 * generator.images(z, y)).round().to(torch.uint8)
                        for z, y in zip(codes, labels, strict=True)])
    for name, image in zip(names, images.permute(0, 2, 3, 1).numpy(), strict=True):
        cv2.imwrite(str(folder / name), image[..., ::-1])  # RGB to BGR
