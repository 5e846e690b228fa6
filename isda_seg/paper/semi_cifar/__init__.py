"""Network and data of Table 6: CNN-13, ZCA-whitened CIFAR and standardised SVHN."""
from isda_seg.paper.semi_cifar.cnn13 import CNN13
from isda_seg.paper.semi_cifar.standardize import StandardizeImage
from isda_seg.paper.semi_cifar.zca import WhitenedDataset

__all__ = ['CNN13', 'StandardizeImage', 'WhitenedDataset']
