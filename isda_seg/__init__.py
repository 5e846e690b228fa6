"""Implicit Semantic Data Augmentation (ISDA, arXiv:2007.10538) for semantic segmentation and beyond.

``isda_seg.core`` is the paper in pure torch; ``isda_seg.losses`` and ``isda_seg.hooks`` plug it into OpenMMLab.
"""

__version__ = '0.2.0'
