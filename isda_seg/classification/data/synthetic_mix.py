"""Dataset of real and synthetic images of the same classes (Table 5, GANs)."""
from typing import Any

from mmengine.dataset import Compose
from mmengine.registry import DATASETS
from torch.utils.data import Dataset

from isda_seg.classification.data.inner_dataset import inner_dataset


@DATASETS.register_module()
class SyntheticMixDataset(Dataset[Any]):
    """Concatenation of real and synthetic images; ``SyntheticMixSampler`` mixes them.

    Args:
        dataset: config or object of the real images, without a pipeline.
        synthetic: config or object of the synthetic images, without a pipeline; for the output of
            ``tools/train_generator.py --write-images`` it is ``dict(type='ImageFolderDataset', data_root=...)``.
        pipeline: transforms of both.

    Raises:
        ValueError: the classes differ, a dataset is empty, or a dataset has a pipeline, which would never run.
    """

    def __init__(self, dataset: Any, synthetic: Any, pipeline: Any = ()) -> None:
        self.datasets = [inner_dataset(one, type(self).__name__) for one in (dataset, synthetic)]
        real, made = self.datasets
        if not len(real) or not len(made):
            raise ValueError(f'SyntheticMixDataset needs real and synthetic images, got {len(real)} and {len(made)}')
        if real.metainfo['classes'] != made.metainfo['classes']:
            raise ValueError(f'the real images have the classes {", ".join(real.metainfo["classes"])}, but the '
                             f'synthetic ones have {", ".join(made.metainfo["classes"])}. Use the same classes')
        self.pipeline = Compose(pipeline)

    @property
    def metainfo(self) -> dict[str, Any]:
        """Metainfo of the real images."""
        return self.datasets[0].metainfo

    @property
    def counts(self) -> tuple[int, int]:
        """Number of real and of synthetic images."""
        real, made = map(len, self.datasets)
        return real, made

    def full_init(self) -> None:
        """Load both datasets."""
        for one in self.datasets:
            one.full_init()

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return image and label before the pipeline."""
        dataset, own = self._place(idx)
        return dataset.get_data_info(own)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of an image, in a list."""
        dataset, own = self._place(idx)
        return dataset.get_cat_ids(own)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Return the output of the pipeline."""
        return self.pipeline(self.get_data_info(idx))

    def __len__(self) -> int:
        """Return the number of images."""
        return sum(self.counts)

    def _place(self, idx: int) -> tuple[Any, int]:
        """Return the dataset of an image and its index there."""
        real, made = self.datasets
        return (real, idx) if idx < len(real) else (made, idx - len(real))
