"""WGAN training (Arjovsky et al., 2017)."""
from typing import NamedTuple

import torch
from torch import Tensor

from isda_seg.paper.generators.dcgan import Critic, DCGANGenerator
from isda_seg.paper.generators.gan_training import GANTraining

EAGER_STEPS, EAGER_EVERY = 25, 500  # the first 25 steps and every 500th use ``eager_critic_steps``


class WGANSettings(NamedTuple):
    """Settings; the defaults are those of the authors."""
    z_dim: int = 100
    width: int = 64
    batch: int = 64
    lr: float = 5e-5
    clip: float = 0.01
    critic_steps: int = 5
    eager_critic_steps: int = 100
    seed: int = 0


class WGANTraining(GANTraining[WGANSettings]):
    """WGAN training; see ``GANTraining``.

    Progress: the critic's estimate of the Wasserstein distance, up to a factor; it decreases as the images improve.
    """

    kind = 'wgan'

    def build(self, resolution: int, channels: int) -> None:
        """Create DCGAN networks and RMSprop optimizers."""
        settings, device = self.settings, self.images.device
        self.shape = dict(resolution=resolution, channels=channels, z_dim=settings.z_dim, width=settings.width)
        self.generator = DCGANGenerator(**self.shape).to(device)
        self.critic = Critic(resolution, channels, settings.width).to(device)
        self.optimizers = [torch.optim.RMSprop(network.parameters(), lr=settings.lr)
                           for network in (self.generator, self.critic)]

    def update(self) -> None:
        """Update the critic several times, then the generator once."""
        eager = self.steps < EAGER_STEPS or self.steps % EAGER_EVERY == 0
        of_generator, of_critic = self.optimizers
        for _ in range(self.settings.eager_critic_steps if eager else self.settings.critic_steps):
            real = self.real(self.sample_indices())
            with torch.no_grad():
                generated = self._generate()
            difference = self.critic(generated).mean() - self.critic(real).mean()
            of_critic.zero_grad()
            difference.backward()
            of_critic.step()
            with torch.no_grad():
                for weight in self.critic.parameters():
                    weight.clamp_(-self.settings.clip, self.settings.clip)
        loss = -self.critic(self._generate()).mean()
        of_generator.zero_grad()
        loss.backward()
        of_generator.step()
        self.progress = {'estimated distance': -difference.item()}

    def _generate(self) -> Tensor:
        codes = torch.randn(self.settings.batch, self.settings.z_dim).to(self.images.device)
        return self.generator(codes)[:, :self.images.shape[1]]
