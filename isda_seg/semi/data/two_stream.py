"""Dataset of pairs of a labelled and an unlabelled image."""
from collections.abc import Sequence
from typing import Any

from mmengine.registry import DATASETS

from isda_seg.semi.data.label_split import split_labels
from isda_seg.semi.data.wrapped_dataset import Wrapper, labels_of


@DATASETS.register_module()
class TwoStreamDataset(Wrapper):
    """All training images as unlabelled images, and a few as labelled images; ``TwoStreamSampler`` pairs them.

    ``dataset[unlabelled, labelled]`` takes two image indices. It returns a dict of ``inputs`` (3, H, W) and ``labels``,
    an int, of the labelled image, and ``unlabelled``, a dict of ``views``, a list of (3, H, W), and ``index``. The
    labelled image and each view pass through the pipeline separately, with independent augmentation.

    Args:
        dataset: config or object of the training images, all with labels.
        num_labels: number of labels; see ``split_labels``.
        label_seed: seed of the choice of labels.
        held_out: share of the labels that is held out; their images remain unlabelled images.
        held_out_seed: seed of the held-out labels.
        pipeline: transforms; the last one is ``PackImages``.
        views: number of views of each unlabelled image.
    """

    def __init__(self, dataset: Any, num_labels: int, label_seed: int = 0, held_out: float = 0.0,
                 held_out_seed: int = 0, pipeline: Sequence[Any] = (), views: int = 1) -> None:
        super().__init__(dataset, pipeline)
        if len(self.dataset) == 0 or views < 1:
            raise ValueError('TwoStreamDataset needs unlabelled images and views >= 1, got '
                             f'{len(self.dataset)} images and views={views}')
        self.views = views
        self.labelled_indices, _ = split_labels(labels_of(self.dataset), num_labels, label_seed, held_out,
                                                held_out_seed)

    def __getitem__(self, idx: tuple[int, int]) -> dict[str, Any]:
        """Return the labelled image and the views of the unlabelled image."""
        unlabelled, labelled = idx
        item = self.pipeline(self.get_data_info(labelled))
        views = [self.pipeline(self.get_data_info(unlabelled))['inputs'] for _ in range(self.views)]
        return dict(inputs=item['inputs'], labels=item['labels'], unlabelled=dict(views=views, index=unlabelled))
