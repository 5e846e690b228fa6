"""One labelled image beside every unlabelled one."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS

from isda_seg.semi.data.label_split import split_labels
from isda_seg.semi.data.wrapped_dataset import Wrapper, labels_of


@DATASETS.register_module()
class TwoStreamDataset(Wrapper):
    """All training images without their labels, and a few with them; ``TwoStreamSampler`` pairs them.

    ``dataset[unlabelled, labelled]``, two indices of training images, is a dict of ``inputs`` (3, H, W) and ``labels``,
    an int, of the labelled image, and of ``unlabelled``, a dict of ``views``, a list of (3, H, W), and ``index``. The
    labelled image and each view go through the pipeline one after the other: each is augmented anew.

    Args:
        dataset: config or object with the training images, all labelled.
        num_labels, label_seed, split_file: how many labels are kept, chosen by which seed, or in which file; see
            ``split_labels``.
        held_out, held_out_seed: share of these labels that is not trained on either; its images stay among the
            unlabelled ones.
        pipeline: transforms; they end with ``PackImages``.
        views: how many every unlabelled image comes in.

    Attributes:
        labelled_indices: (L,) of the images that are trained on with their label.
        num_labelled, num_unlabelled, num_classes: L, N, C.

    Raises:
        ValueError: no images, no views, or labels that cannot be chosen so.
    """

    def __init__(self, dataset: Any, num_labels: int, label_seed: int = 0, split_file: str | Path | None = None,
                 held_out: float = 0.0, held_out_seed: int = 0, pipeline: Sequence[Any] = (), views: int = 1) -> None:
        super().__init__(dataset, pipeline)
        if len(self.dataset) == 0 or views < 1:
            raise ValueError('semi-supervised training needs unlabelled images and at least one view of each, got '
                             f'{len(self.dataset)} images and views={views}')
        self.views = views
        self.labelled_indices, _ = split_labels(labels_of(self.dataset), num_labels, label_seed, split_file, held_out,
                                                held_out_seed)

    @property
    def num_labelled(self) -> int:
        """L."""
        return len(self.labelled_indices)

    @property
    def num_unlabelled(self) -> int:
        """N, the length of an epoch."""
        return len(self)

    def __getitem__(self, idx: tuple[int, int]) -> dict:
        unlabelled, labelled = idx
        item = self.pipeline(self.get_data_info(labelled))
        views = [self.pipeline(self.get_data_info(unlabelled))['inputs'] for _ in range(self.views)]
        return dict(inputs=item['inputs'], labels=item['labels'], unlabelled=dict(views=views, index=unlabelled))
