"""What only image classification needs: networks, the classifier, datasets, transforms, the metric."""
from isda_seg.classification import networks
from isda_seg.classification.accuracy import TopKAccuracy
from isda_seg.classification.auto_augment import AutoAugment
from isda_seg.classification.cifar import CIFARDataset
from isda_seg.classification.classifier import ImageClassifier
from isda_seg.classification.crops import RandomReflectCrop, RandomResizedCrop
from isda_seg.classification.cutout import Cutout
from isda_seg.classification.image_folder import ImageFolderDataset
from isda_seg.classification.last_epochs import LastEpochsHook
from isda_seg.classification.packing import PackImages
from isda_seg.classification.preprocessor import ClassificationPreprocessor
from isda_seg.classification.rand_augment import RandAugment
from isda_seg.classification.svhn import SVHNDataset

__all__ = ['AutoAugment', 'CIFARDataset', 'ClassificationPreprocessor', 'Cutout', 'ImageClassifier',
           'ImageFolderDataset', 'LastEpochsHook', 'PackImages', 'RandAugment', 'RandomReflectCrop',
           'RandomResizedCrop', 'SVHNDataset', 'TopKAccuracy', 'networks']
