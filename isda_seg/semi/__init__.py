"""Semi-supervised classification: base methods, classifier, datasets of labelled and unlabelled images."""
from isda_seg.semi.classifier import SemiClassifier
from isda_seg.semi.hook import SemiHook
from isda_seg.semi.mean_teacher import MeanTeacher
from isda_seg.semi.pi_model import PiModel
from isda_seg.semi.temporal_ensembling import TemporalEnsembling
from isda_seg.semi.two_stream import HeldOutLabelsDataset, TwoStreamDataset, TwoStreamSampler
from isda_seg.semi.vat import VAT
