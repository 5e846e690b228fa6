"""Trained model from a checkpoint, and its classifier inputs on a split of the data."""
import copy
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import HOOKS, MODELS, DefaultScope
from torch import Tensor, nn

from isda_seg.attachment.captured_inputs import classifier_input
from isda_seg.attachment.label_grid import labels_on_grid
from isda_seg.core.ops.checks import check_labels
from isda_seg.core.windows import Windows
from isda_seg.metrics.class_names import unique_names
from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.openmmlab.pairs import Pair
from isda_seg.paper.features.classifier_pairs import classifier_pairs, pair_of
from isda_seg.paper.features.split_data import labels_of, split_loader
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.weights import STATISTICS, coverage, weights_in

IGNORED = -1        # label of ignored samples, independent of the loss
METHOD = 'method.'  # prefix of semi-supervised methods; their buffers have a row per training image


class OpenedModel(NamedTuple):
    """A trained model in eval mode."""
    cfg: Config
    model: Any
    pairs: list[Pair]     # one per classifier; statistics are empty without ISDA training
    meta: dict[str, Any]  # meta of the checkpoint

    def classes(self, pair: Pair) -> list[str]:
        """Return the class names of the training data, all different, or 'class 0' and so on if they are missing."""
        count = pair.loss.statistics.num_classes
        names = list((self.meta.get('dataset_meta') or {}).get('classes') or ())
        return unique_names(names) if len(names) == count else [f'class {index}' for index in range(count)]


class Batch(NamedTuple):
    """Batch with the inputs and outputs of the classifier."""
    features: Tensor      # (N, A) or (B, A, h, w)
    labels: Tensor        # (N,) or (B, h, w) int64, at the positions of the features; IGNORED for ignored labels
    logits: Tensor        # (N, C) or (B, C, h, w), the classifier's output
    images: Tensor        # (B, 3, H, W) from the pipeline, RGB, not normalised
    sources: list[Any]    # path of each image, or its index in the data

    def labelled(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return features (N, A), labels (N,) and logits (N, C) of all labelled samples or pixels."""
        labels = self.labels.flatten()
        features, logits = (part.movedim(1, -1).flatten(0, -2) for part in (self.features, self.logits))
        return features[labels != IGNORED], labels[labels != IGNORED], logits[labels != IGNORED]


def open_checkpoint(cfg: Config, checkpoint: str) -> OpenedModel:
    """Build the model of a config and load weights and ISDA statistics of a checkpoint.

    Without ISDA, classifiers are found by the structure of the model.

    Raises:
        FileNotFoundError, ValueError: the file does not exist, is not a checkpoint or belongs to another model; no head
            has a linear classifier.
    """
    preprocessor = {'data_preprocessor': cfg.data_preprocessor} if cfg.get('data_preprocessor') else {}
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
        model = MODELS.build(copy.deepcopy({**preprocessor, **cfg.model}))
        for hook in [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]:
            if type_name(hook) == 'ISDAHook':
                HOOKS.build(hook).before_run(SimpleNamespace(model=model, cfg=cfg, logger=logging.getLogger(__name__)))
    pairs = classifier_pairs(model)
    for pair in pairs:
        pair.loss.load_statistics = True
        pair.loss.eval()
    meta = load_weights(model, checkpoint)
    model.to(get_device()).eval()
    return OpenedModel(cfg, model, pairs, meta)


def batches(opened: OpenedModel, split: str = 'test', head: str | None = None,
            augmented: bool = False) -> Iterator[Batch]:
    """Iterate over a split in order, in eval mode, without changing the model.

    Every split, 'test', 'val' or 'train', uses the test pipeline. With ``augmented``, 'train' uses its own, with the
    current random state. ``head`` is as in ``pair_of``.

    Yields:
        batches on the model's device. Batches of a Mean Teacher come from the student, which holds the statistics.

    Raises:
        ValueError: a split that is not in the config, images without labels, a classifier that does not run in eval
            mode or whose input is neither vectors nor maps, or labels outside the classes.
        FileNotFoundError: missing data.
    """
    pair, first = pair_of(opened.pairs, head), 0
    for data in split_loader(opened.cfg, split, augmented):
        batch = _run(opened.model, pair, data, augmented)
        sources = batch.sources or list(range(first, first + len(batch.images)))
        first += len(sources)
        yield batch._replace(sources=sources)


@torch.no_grad()
def _run(model: Any, pair: Pair, data: dict[str, Any], augmented: bool) -> Batch:
    """Run a batch through the model; sources are empty if the data has no paths."""
    calls: list[tuple[Tensor, Tensor]] = []
    images = torch.stack(list(data['inputs']))
    names = 'channel_conversion', '_channel_conversion'  # MMSegmentation 1.2 has its own attribute
    images = images.flip(1) if any(getattr(model.data_preprocessor, name, False) for name in names) else images
    data = model.data_preprocessor(data, augmented)
    handle = pair.classifier.register_forward_hook(lambda _, args, output: calls.append((args[0], output)))
    try:
        if pair.name.startswith('auxiliary_head'):  # not part of the prediction
            pair.head(model.extract_feat(data['inputs']))
        else:
            model(data['inputs'], mode='tensor')
    finally:
        handle.remove()
    if not calls:
        raise ValueError(f'the classifier of {pair.name or "the model"} does not run in eval mode. Choose another '
                         '--head')
    inputs, logits = calls[-1]
    features, loss = classifier_input(pair.classifier, inputs, logits.shape), pair.loss
    ignore_index = getattr(pair.head, 'ignore_index', loss.ignore_index)
    labels = labels_of(data, ignore_index)
    if isinstance(features, Windows) or features.dim() != labels.dim() + 1:
        raise ValueError(f'the input of the classifier {pair.classifier} has the shape {tuple(inputs.shape)}. Only '
                         'feature vectors and maps with a 1x1 convolution are supported. Choose another --head')
    labels = labels_on_grid(labels, tuple(features.shape[2:]), loss.align_corners, loss.label_sampling)
    sources = [sample.img_path for sample in data.get('data_samples') or []]
    labels = check_labels(labels, logits.shape[1], ignore_index, sources)
    return Batch(features, labels.masked_fill(labels == ignore_index, IGNORED), logits, images, sources)


def load_weights(model: nn.Module, checkpoint: str) -> dict[str, Any]:
    """Load a checkpoint and return its meta; missing statistics and per-image buffers remain unchanged.

    Raises:
        FileNotFoundError, ValueError: see ``check_checkpoint``; ``checkpoint`` is a URL or belongs to another model.
    """
    loaded = check_checkpoint(checkpoint)
    if not loaded:
        raise ValueError(f'{checkpoint} is a URL; download it and pass a local path')
    state = weights_in(loaded)
    expected = model.state_dict()
    per_image = {key for key, value in expected.items() if key.startswith(METHOD) and key in state
                 and state[key].shape != value.shape}
    state = {key: value for key, value in state.items() if key not in per_image}
    required = {key: value for key, value in expected.items()
                if key in state or not (key in per_image or STATISTICS.search(key))}
    match = coverage(required, state, whole=True)
    if not match.full:
        hint = '. It contains ISDA statistics, but the config has no ISDAHook. Use the config of the training.' \
            if match.unexpected and all(map(STATISTICS.search, match.unexpected)) else \
            '. Use the config of the training.'
        raise ValueError(f'{checkpoint} is not a checkpoint of the model of this config: {match}{hint}')
    model.load_state_dict(state, strict=False)
    return dict(loaded.get('meta', {}))
