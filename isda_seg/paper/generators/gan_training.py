"""Base class of GAN training: data, separate random streams, exact resume."""
import hashlib
import sys
import time
from pathlib import Path
from signal import Signals
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from isda_seg.paper.generators.generator import GeneratorAdapter
from isda_seg.paper.generators.saved_generator import read_training
from isda_seg.runtime.durable import written_aside
from isda_seg.runtime.reproducible import seed_cpu
from isda_seg.runtime.signals import SignalReceiver

_FIRST_WEIGHTS, _STEP = 0, 1  # separate streams


class Settings(Protocol):
    """Settings of a kind of GAN, a NamedTuple."""

    @property
    def batch(self) -> int:
        """Images per step."""

    @property
    def seed(self) -> int:
        """Seed of the training."""

    def _asdict(self) -> dict[str, Any]: ...


SettingsType = TypeVar('SettingsType', bound=Settings)


class GANTraining(Generic[SettingsType]):
    """GAN training with exact resume: every step uses a separate random stream.

    Subclasses implement ``build`` and ``update``.

    Args:
        images: (N, 3, H, W) uint8, RGB, on the training device; greyscale images with three equal
            channels use a greyscale generator.
        settings: settings of networks and optimizers.

    Attributes:
        kind: kind of GAN, as in tools/train_generator.py.
        steps: number of generator updates.
        progress: monitored values of the last step, by printed name.

    Raises:
        ValueError: the images are not square, have an unsupported size, or are fewer than a batch.
    """

    kind: str
    shape: dict[str, int]  # arguments of the generator
    generator: GeneratorAdapter
    critic: nn.Module
    optimizers: list[torch.optim.Optimizer]  # of the generator and of the critic

    def __init__(self, images: Tensor, settings: SettingsType) -> None:
        if images.dim() != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise ValueError(f'square images (N, 3, H, H) expected, got {tuple(images.shape)}')
        if len(images) < settings.batch:
            raise ValueError(f'a batch of {settings.batch} needs as many images, got {len(images)}. Set a smaller '
                             '--batch or use more images')
        channels = 1 if torch.equal(images, images[:, :1].expand_as(images)) else 3
        self.images, self.settings, self.steps = images[:, :channels], settings, 0
        self.progress: dict[str, float] = {}
        seed_cpu(settings.seed, _FIRST_WEIGHTS)
        self.build(resolution=images.shape[2], channels=channels)

    def build(self, resolution: int, channels: int) -> None:
        """Create generator, critic, their optimizers and ``shape``."""
        raise NotImplementedError

    def update(self) -> None:
        """Update the critic, then the generator once."""
        raise NotImplementedError

    def step(self) -> None:
        """Run ``update`` with random numbers determined by the seed and the step."""
        seed_cpu(self.settings.seed, _STEP, self.steps)
        self.update()
        self.steps += 1

    def sample_indices(self) -> Tensor:
        """Sample the indices of a batch without replacement."""
        return torch.randperm(len(self.images))[:self.settings.batch]

    def real(self, indices: Tensor) -> Tensor:
        """Return training images in [-1, 1]."""
        return self.images[indices] / 127.5 - 1

    def origin(self) -> dict[str, str]:
        """Return the kind of GAN and the digests of the data, which must match for a resume."""
        return dict(kind=self.kind, images=digest(self.images))

    def state_dict(self) -> dict[str, Any]:
        """Return the state for resuming and for loading the generator."""
        return dict(**self.origin(), shape=self.shape, settings=self.settings._asdict(), steps=self.steps,
                    generator=self.generator.state_dict(), critic=self.critic.state_dict(),
                    optimizers=[optimizer.state_dict() for optimizer in self.optimizers])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume a training with the same data and settings.

        Raises:
            ValueError: kind, data or settings differ; nothing is loaded.
        """
        origin = self.origin()
        expected = self.settings._asdict() | origin
        saved = state['settings'] | {name: state.get(name) for name in origin}
        if differ := [name for name in expected if expected[name] != saved.get(name)]:
            raise ValueError(f'cannot resume: the generator was trained with other values of {", ".join(differ)}. Use '
                             'the same values or another --work-dir')
        self.generator.load_state_dict(state['generator'])
        self.critic.load_state_dict(state['critic'])
        for optimizer, optimizer_state in zip(self.optimizers, state['optimizers'], strict=True):
            optimizer.load_state_dict(optimizer_state)
        self.steps = state['steps']


def train(training: GANTraining[Any], out: Path, steps: int, save_every: int) -> None:
    """Train to the end and save checkpoints in ``out``, from which training resumes if the file exists.

    After a signal it saves, and exits with the signal's status.
    """
    if out.is_file():
        training.load_state_dict(read_training(out))
        print(f'{out}: ' + (f'already trained for {training.steps} steps' if training.steps >= steps else
                            f'resuming after {training.steps} steps'))
    start, signals = time.monotonic(), SignalReceiver()
    signals.install()
    while training.steps < steps:
        training.step()
        if signals.received or training.steps % save_every == 0 or training.steps == steps:
            with written_aside(out) as aside:
                torch.save(training.state_dict(), aside)
            progress = ', '.join(f'{name} {value:.4f}' for name, value in training.progress.items())
            print(f'{training.steps} of {steps} steps, {progress}, {time.monotonic() - start:.0f} s', flush=True)
        if signals.received:
            print(f'received {Signals(signals.received).name}: saved {out} after step {training.steps}. Run the same '
                  'command to continue', flush=True)
            sys.exit(128 + signals.received)
    signals.restore()


def digest(data: Tensor) -> str:
    """Return the SHA-256 digest of a tensor."""
    return hashlib.sha256(data.cpu().numpy().tobytes()).hexdigest()
