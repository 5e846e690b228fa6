"""Image classification: network, classifier, datasets, transforms, metrics."""
from isda_seg.classification.classifier import ImageClassifier
from isda_seg.classification.data.cifar import CIFARDataset
from isda_seg.classification.data.digits import DigitsDataset
from isda_seg.classification.data.image_folder import ImageFolderDataset
from isda_seg.classification.data.svhn import SVHNDataset
from isda_seg.classification.metrics import LikelihoodMetric, TopKAccuracy
from isda_seg.classification.preprocessor import ClassificationPreprocessor
from isda_seg.classification.resnet_cifar import ResNetCifar
from isda_seg.classification.transforms import Cutout, PackImages, RandomReflectCrop, RandomResizedCrop
from isda_seg.metrics.last_evaluations import LastEvaluationsHook
