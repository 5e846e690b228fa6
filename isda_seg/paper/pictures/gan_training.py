"""What trainings of a generator against a critic have in common: data, own random numbers, an exact resume."""
import hashlib
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from isda_seg.paper.pictures.generator import GeneratorAdapter
from isda_seg.runtime.reproducible import seed_cpu

_FIRST_WEIGHTS, _STEP = 0, 1  # separate streams


class Settings(Protocol):
    """Of any kind, a NamedTuple."""
    batch: int
    seed: int

    def _asdict(self) -> dict[str, Any]: ...


class GANTraining:
    """A training that is the same however often it is stopped: every step draws from a stream of its own.

    A kind of GAN says what ``build`` makes and what ``update`` does.

    Args:
        images: (N, 3, H, W) uint8, RGB, on the device to train on; greys, which have three equal channels, get a
            generator of greys.
        settings: of networks and optimizers.

    Attributes:
        kind: of the GAN, as tools/train_generator.py names it.
        steps: updates of the generator so far.
        progress: what the last step reached, by the name it has on the screen.

    Raises:
        ValueError: images that are not square, of a side that DCGAN has not, or fewer than a batch.
    """

    kind: str
    shape: dict[str, int]  # the generator's arguments
    generator: GeneratorAdapter
    critic: nn.Module
    optimizers: list[torch.optim.Optimizer]  # of the generator and of the critic

    def __init__(self, images: Tensor, settings: Settings) -> None:
        if images.dim() != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise ValueError(f'square images (N, 3, H, H) expected, got {tuple(images.shape)}')
        if len(images) < settings.batch:
            raise ValueError(f'a batch of {settings.batch} needs as many images, got {len(images)}: set a smaller '
                             'batch, or give more images')
        channels = 1 if torch.equal(images, images[:, :1].expand_as(images)) else 3
        self.images, self.settings, self.steps = images[:, :channels], settings, 0
        self.progress: dict[str, float] = {}
        seed_cpu(settings.seed, _FIRST_WEIGHTS)
        self.build(resolution=images.shape[2], channels=channels)

    def build(self, resolution: int, channels: int) -> None:
        """Make generator, critic, their optimizers and ``shape``."""
        raise NotImplementedError

    def update(self) -> None:
        """One update of the generator, and those of the critic before it."""
        raise NotImplementedError

    def step(self) -> None:
        """``update`` with random numbers that follow from the seed and the number of the step."""
        seed_cpu(self.settings.seed, _STEP, self.steps)
        self.update()
        self.steps += 1

    def chosen(self) -> Tensor:
        """The positions of a batch of training images, drawn without replacement."""
        return torch.randperm(len(self.images))[:self.settings.batch]

    def real(self, chosen: Tensor) -> Tensor:
        """Training images in [-1, 1]."""
        return self.images[chosen] / 127.5 - 1

    def origin(self) -> dict[str, str]:
        """What a training goes on with, or not at all: its kind and digests of its data."""
        return dict(kind=self.kind, images=digest(self.images))

    def state_dict(self) -> dict[str, Any]:
        """All that a training needs to go on, and what a reader of the generator needs."""
        return dict(**self.origin(), shape=self.shape, settings=self.settings._asdict(), steps=self.steps,
                    generator=self.generator.state_dict(), critic=self.critic.state_dict(),
                    optimizers=[optimizer.state_dict() for optimizer in self.optimizers])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a training with the same data and settings stopped.

        Raises:
            ValueError: another kind, other data or settings; nothing has been loaded.
        """
        origin = self.origin()
        own, other = self.settings._asdict() | origin, state['settings'] | {name: state.get(name) for name in origin}
        if differ := [name for name in own if own[name] != other.get(name)]:
            raise ValueError(f'this generator was trained with other {", ".join(differ)}: go on with the same, or '
                             'train another one into another folder')
        self.generator.load_state_dict(state['generator'])
        self.critic.load_state_dict(state['critic'])
        for optimizer, saved in zip(self.optimizers, state['optimizers'], strict=True):
            optimizer.load_state_dict(saved)
        self.steps = state['steps']


def digest(data: Tensor) -> str:
    """Equal for equal data."""
    return hashlib.sha256(data.cpu().numpy().tobytes()).hexdigest()
