"""Real images, and beside them synthetic ones of the same classes (Table 5, GANs)."""
from typing import Any

from mmengine.dataset import Compose
from mmengine.registry import DATASETS
from torch.utils.data import Dataset

from isda_seg.classification.data.inner_dataset import inner_dataset


@DATASETS.register_module()
class SyntheticMixDataset(Dataset):
    """The images of two datasets, the real ones first; ``SyntheticMixSampler`` mixes them.

    Args:
        dataset: config or object with the real images, without a pipeline.
        synthetic: the same of the synthetic ones, such as the folder that ``tools/train_generator.py --write-images``
            wrote: ``dict(type='ImageFolderDataset', data_root=...)``.
        pipeline: transforms of both.

    Raises:
        ValueError: different classes, no images of one kind, a pipeline inside, which would never run.
    """

    def __init__(self, dataset: Any, synthetic: Any, pipeline: Any = ()) -> None:
        self.datasets = [inner_dataset(one, type(self).__name__) for one in (dataset, synthetic)]
        real, made = self.datasets
        if not len(real) or not len(made):
            raise ValueError(f'real and synthetic images expected, got {len(real)} and {len(made)}')
        if real.metainfo['classes'] != made.metainfo['classes']:
            raise ValueError(f'the real images have the classes {", ".join(real.metainfo["classes"])} and the '
                             f'synthetic ones {", ".join(made.metainfo["classes"])}: give both the same')
        self.pipeline = Compose(pipeline)

    @property
    def metainfo(self) -> dict:
        """The real images'."""
        return self.datasets[0].metainfo

    @property
    def counts(self) -> tuple[int, int]:
        """How many images are real, and how many synthetic."""
        real, made = map(len, self.datasets)
        return real, made

    def full_init(self) -> None:
        """Make the images ready."""
        for one in self.datasets:
            one.full_init()

    def get_data_info(self, idx: int) -> dict:
        """Image and label before the pipeline."""
        dataset, own = self._place(idx)
        return dataset.get_data_info(own)

    def get_cat_ids(self, idx: int) -> list[int]:
        """The one label of an image."""
        dataset, own = self._place(idx)
        return dataset.get_cat_ids(own)

    def __getitem__(self, idx: int) -> dict:
        return self.pipeline(self.get_data_info(idx))

    def __len__(self) -> int:
        return sum(self.counts)

    def _place(self, idx: int) -> tuple[Any, int]:
        """The dataset that an image comes from, and its index there."""
        real, made = self.datasets
        return (real, idx) if idx < len(real) else (made, idx - len(real))
