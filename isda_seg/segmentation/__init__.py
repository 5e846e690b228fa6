"""Semantic segmentation with MMSegmentation: datasets, checked loading, evaluation protocols, visualisations."""
from isda_seg import compat

compat.import_segmentation()  # before anything else imports mmseg

from isda_seg.metrics.last_evaluations import LastEvaluationsHook
from isda_seg.segmentation.adjusted_logits import LogProbabilityTTAModel
from isda_seg.segmentation.camvid import CamVidDataset
from isda_seg.segmentation.data_preprocessor import CheckedSegDataPreProcessor
from isda_seg.segmentation.frozen_backbone import FrozenBackbone
from isda_seg.segmentation.image_sample import SampledCityscapesDataset
from isda_seg.segmentation.loading import LoadCheckedAnnotations, LoadCheckedImage
from isda_seg.segmentation.logit_metrics import PixelAveragePrecisionMetric, PixelLikelihoodMetric
from isda_seg.segmentation.metric import ClassIoUMetric, OutputNamesHook
from isda_seg.segmentation.pictures import SideBySideHook
