"""WGAN (Arjovsky et al., 2017): a critic that estimates a distance, a generator that shortens it."""
import hashlib
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isda_seg.pictures.wgan import Critic, DCGANGenerator
from isda_seg.runtime.reproducible import seed_cpu

EAGER_STEPS, EAGER_EVERY = 25, 500  # at the first 25 steps and at every 500th the critic takes ``eager_critic_steps``
_FIRST_WEIGHTS, _STEP = 0, 1        # separate streams


class WGANSettings(NamedTuple):
    """The authors' values."""
    z_dim: int = 100
    width: int = 64
    batch: int = 64
    lr: float = 5e-5
    clip: float = 0.01
    critic_steps: int = 5
    eager_critic_steps: int = 100
    seed: int = 0


class WGANTraining:
    """A training that is the same however often it is stopped: every step draws from a stream of its own.

    Args:
        images: (N, 3, H, W) uint8, RGB, on the device to train on; greys, which have three equal channels, get a
            generator of greys.
        settings: of networks and optimizers.

    Attributes:
        steps: updates of the generator so far.
        distance: the critic's estimate at the last step, up to a factor; it falls as the images get better.

    Raises:
        ValueError: images that are not square, of a side that DCGAN has not, or fewer than a batch.
    """

    def __init__(self, images: Tensor, settings: WGANSettings) -> None:
        if images.dim() != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise ValueError(f'square images (N, 3, H, H) expected, got {tuple(images.shape)}')
        if len(images) < settings.batch:
            raise ValueError(f'a batch of {settings.batch} needs as many images, got {len(images)}: set a smaller '
                             'batch, or give more images')
        channels = 1 if torch.equal(images, images[:, :1].expand_as(images)) else 3
        self.images, self.settings, self.steps, self.distance = images[:, :channels], settings, 0, float('nan')
        self.shape = dict(resolution=images.shape[2], channels=channels, width=settings.width)
        seed_cpu(settings.seed, _FIRST_WEIGHTS)
        self.generator = DCGANGenerator(z_dim=settings.z_dim, **self.shape).to(images.device)
        self.critic = Critic(**self.shape).to(images.device)
        self.optimizers = [torch.optim.RMSprop(network.parameters(), lr=settings.lr)
                           for network in (self.generator, self.critic)]

    def step(self) -> None:
        """Some updates of the critic, one of the generator."""
        seed_cpu(self.settings.seed, _STEP, self.steps)
        eager = self.steps < EAGER_STEPS or self.steps % EAGER_EVERY == 0
        of_generator, of_critic = self.optimizers
        for _ in range(self.settings.eager_critic_steps if eager else self.settings.critic_steps):
            real = self._scaled(self.images[torch.randperm(len(self.images))[:self.settings.batch]])
            with torch.no_grad():
                fake = self._fake()
            difference = self.critic(fake).mean() - self.critic(real).mean()
            of_critic.zero_grad()
            difference.backward()
            of_critic.step()
            with torch.no_grad():
                for weight in self.critic.parameters():
                    weight.clamp_(-self.settings.clip, self.settings.clip)
        loss = -self.critic(self._fake()).mean()
        of_generator.zero_grad()
        loss.backward()
        of_generator.step()
        self.steps, self.distance = self.steps + 1, -difference.item()

    def state_dict(self) -> dict[str, Any]:
        """All that a training needs to go on, and what a reader of the generator needs."""
        return dict(shape=self.shape, settings=self.settings._asdict(), images=_digest(self.images), steps=self.steps,
                    generator=self.generator.state_dict(), critic=self.critic.state_dict(),
                    optimizers=[optimizer.state_dict() for optimizer in self.optimizers])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a training with the same images and settings stopped.

        Raises:
            ValueError: other images or settings; nothing has been loaded.
        """
        own = dict(self.settings._asdict(), images=_digest(self.images))
        other = dict(state['settings'], images=state['images'])
        if differ := [name for name in own if own[name] != other.get(name)]:
            raise ValueError(f'this generator was trained with other {", ".join(differ)}: go on with the same, or '
                             'train another one into another folder')
        self.generator.load_state_dict(state['generator'])
        self.critic.load_state_dict(state['critic'])
        for optimizer, saved in zip(self.optimizers, state['optimizers'], strict=True):
            optimizer.load_state_dict(saved)
        self.steps = state['steps']

    def _fake(self) -> Tensor:
        codes = torch.randn(self.settings.batch, self.settings.z_dim).to(self.images.device)
        return self.generator(codes)[:, :self.images.shape[1]]

    @staticmethod
    def _scaled(images: Tensor) -> Tensor:
        return images / 127.5 - 1


def _digest(images: Tensor) -> str:
    return hashlib.sha256(images.cpu().numpy().tobytes()).hexdigest()
