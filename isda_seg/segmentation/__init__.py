"""What only MMSegmentation needs: datasets, loading with clear errors, evaluation protocols, pictures."""
from isda_seg.segmentation.camvid import CamVidDataset

__all__ = ['CamVidDataset']
