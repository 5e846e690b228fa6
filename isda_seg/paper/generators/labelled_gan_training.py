"""Label-conditional GANs: CGAN, ACGAN and InfoGAN."""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.paper.generators.dcgan import NOISE, Critic, LabelledGenerator
from isda_seg.paper.generators.gan_training import GANTraining, digest

KINDS = 'cgan', 'acgan', 'infogan'
ATTRIBUTES = 2          # number of InfoGAN attributes in addition to the noise, as in the paper
ATTRIBUTE_WEIGHT = 0.1  # loss weight of the attributes, as in InfoGAN for continuous codes


class LabelledGANSettings(NamedTuple):
    """Settings; the defaults are those of DCGAN."""
    num_classes: int
    width: int = 64
    batch: int = 64
    lr: float = 2e-4
    beta1: float = 0.5
    seed: int = 0


class LabelledGANTraining(GANTraining[LabelledGANSettings]):
    """Training of a label-conditional GAN.

    - ``cgan`` (Mirza and Osindero, 2014): the discriminator receives the label as C constant maps.
    - ``acgan`` (Odena et al., 2017): the discriminator predicts the label of real and generated images; both networks
      minimise the classification loss.
    - ``infogan`` (Chen et al., 2016): as ``acgan``, and it also predicts two attributes in the code of generated
      images. The original InfoGAN has no labels; here labels are needed to train a classifier on the images.

    Progress: mean predicted probability of being real for real and generated images.

    Args:
        images, settings: as in ``GANTraining``.
        labels: (N,) int64, labels of the images.
        kind: one of the above.

    Raises:
        ValueError: see ``GANTraining``.
    """

    output_sizes: tuple[int, int, int]  # number of scores, logits and attributes among the discriminator outputs

    def __init__(self, images: Tensor, labels: Tensor, settings: LabelledGANSettings, kind: str) -> None:
        self.labels, self.kind = labels.to(images.device), kind
        super().__init__(images, settings)

    def build(self, resolution: int, channels: int) -> None:
        """Create DCGAN networks and Adam optimizers."""
        settings, device, classes = self.settings, self.images.device, self.settings.num_classes
        attributes = ATTRIBUTES if self.kind == 'infogan' else 0
        self.shape = dict(num_classes=classes, attributes=attributes, resolution=resolution, channels=channels,
                          z_dim=NOISE + attributes, width=settings.width)
        self.generator: LabelledGenerator = LabelledGenerator(**self.shape).to(device)
        label_maps, self.output_sizes = (classes, (1, 0, 0)) if self.kind == 'cgan' else (0, (1, classes, attributes))
        self.critic = Critic(resolution, channels + label_maps, settings.width, sum(self.output_sizes)).to(device)
        self.optimizers = [torch.optim.Adam(network.parameters(), lr=settings.lr, betas=(settings.beta1, 0.999))
                           for network in (self.generator, self.critic)]

    def origin(self) -> dict[str, str]:
        """Add the digest of the labels."""
        return dict(super().origin(), labels=digest(self.labels))

    def update(self) -> None:
        """Update the discriminator and the generator once, with the same generated images."""
        of_generator, of_critic = self.optimizers
        indices, device = self.sample_indices(), self.images.device
        real, labels = self.real(indices), self.labels[indices]
        codes = torch.randn(self.settings.batch, self.generator.z_dim).to(device)
        sampled_labels = torch.randint(self.settings.num_classes, (self.settings.batch,)).to(device)
        generated = self.generator(codes, sampled_labels)[:, :self.images.shape[1]]

        score_real, loss_real = self._critic_loss(real, labels, True, None)
        score_generated, loss_generated = self._critic_loss(generated.detach(), sampled_labels, False, codes)
        of_critic.zero_grad()
        (loss_real + loss_generated).backward()
        of_critic.step()

        _, loss = self._critic_loss(generated, sampled_labels, True, codes)
        of_generator.zero_grad()
        loss.backward()
        of_generator.step()
        self.progress = {'probability of real: real images': score_real.sigmoid().mean().item(),
                         'generated images': score_generated.sigmoid().mean().item()}

    def _critic_loss(self, images: Tensor, labels: Tensor, real: bool, codes: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the scores (N,) and the scalar loss of scores, labels and attributes."""
        if self.kind == 'cgan':
            maps = F.one_hot(labels, self.settings.num_classes).to(images)
            images = torch.cat([images, maps[:, :, None, None].expand(-1, -1, *images.shape[2:])], dim=1)
        score, logits, attributes = self.critic(images).split(self.output_sizes, dim=1)
        loss = F.binary_cross_entropy_with_logits(score, torch.full_like(score, float(real)))
        if logits.shape[1]:
            loss = loss + F.cross_entropy(logits, labels)
        if attributes.shape[1] and codes is not None:
            loss = loss + ATTRIBUTE_WEIGHT * F.mse_loss(attributes, self.generator.attributes_of(codes))
        return score[:, 0], loss
