"""Generators of images, trained GANs and BigGAN-deep, and datasets that mix generated images in (Table 5)."""
