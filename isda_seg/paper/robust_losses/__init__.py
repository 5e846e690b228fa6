"""Robust losses of Table 5 that neither torch nor ``isda_seg.losses`` provides, and ISDA with learned covariances.

For label smoothing use ``torch.nn.CrossEntropyLoss(label_smoothing=...)``; for the focal loss use
``isda_seg.losses.SoftmaxFocalLoss``, whose ``loss_weight`` is the factor alpha; dropout is an argument of the backbone.
"""
from isda_seg.paper.robust_losses.center import CenterLoss
from isda_seg.paper.robust_losses.distribution_net import DistributionNetLoss
from isda_seg.paper.robust_losses.disturb_label import DisturbLabelLoss
from isda_seg.paper.robust_losses.large_margin import LargeMarginLoss
from isda_seg.paper.robust_losses.learned_covariance import LearnedISDALoss
from isda_seg.paper.robust_losses.lq import LqLoss

__all__ = ['CenterLoss', 'DistributionNetLoss', 'DisturbLabelLoss', 'LargeMarginLoss', 'LearnedISDALoss', 'LqLoss']
