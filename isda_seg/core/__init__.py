"""ISDA in pure torch: class statistics, margin table and losses (arXiv:2007.10538v5).

Shape letters: B images, N samples or pixels, C classes, A feature channels, H x W image size.
"""
from isda_seg.core.consistency import isda_consistency
from isda_seg.core.functional import augment_logits, isda_cross_entropy
from isda_seg.core.margin import margin_variance
from isda_seg.core.moments import ClassMoments, class_moments, merge
from isda_seg.core.sampling import sampled_cross_entropy
from isda_seg.core.schedule import linear_ramp
from isda_seg.core.statistics import ClassStatistics

__all__ = [
    'ClassMoments',
    'ClassStatistics',
    'augment_logits',
    'class_moments',
    'isda_consistency',
    'isda_cross_entropy',
    'linear_ramp',
    'margin_variance',
    'merge',
    'sampled_cross_entropy',
]
