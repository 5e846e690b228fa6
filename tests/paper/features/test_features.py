"""Analysis of a split is independent of the batch size."""

import numpy as np
import pytest
import torch
from helpers import tiny, tiny_images
from mmengine.registry import MODELS

pytest.importorskip('sklearn')
from isda_seg.core import class_moments  # noqa: E402
from isda_seg.paper.features.classifier_inputs import batches, open_checkpoint  # noqa: E402
from isda_seg.paper.features.confusions import confusion  # noqa: E402
from isda_seg.paper.features.features import Features, analyse, check_same_data, embedding, summarise_split  # noqa: E402
from isda_seg.runtime.launch import load_config  # noqa: E402

CONFIG = tiny.ROOT / 'configs/classification/cifar10/resnet32_cifar10.py'


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """opened(batch) is an untrained ResNet-8 with 120 test images, of which none has label 9."""
    monkeypatch.setenv('ISDA_SEG_DATA', str(tmp_path))
    labels = dict(data=np.random.default_rng(1).integers(256, size=(120, 3072), dtype=np.uint8),
                  labels=[i % 9 for i in range(120)])
    tiny_images.write_cifar(tmp_path, test_batch=labels)
    cfg = load_config(str(CONFIG), None, str(tmp_path / 'work'))
    tiny_images.shrink(cfg)
    cfg.test_dataloader.dataset.indices = 120
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')

    def of(batch):
        cfg.test_dataloader.batch_size = batch
        return open_checkpoint(cfg, str(tmp_path / 'model.pth'))

    return of


def test_split_summary_is_independent_of_the_batch_size(opened):
    features, labels, logits = (torch.cat(parts) for parts in
                                zip(*(batch.labelled() for batch in batches(opened(50))), strict=True))
    found = {batch: summarise_split(opened(batch), 'test', None, 4, seed=0) for batch in (50, 7)}
    assert [one.images for one in found.values()] == [120, 120]
    assert torch.equal(found[50].confusion, confusion(labels, logits))
    for one in found.values():
        for got, expected in zip(one.moments, class_moments(features, labels, 10, covariance='full'), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found[50].sample.positions, found[7].sample.positions)
    np.testing.assert_allclose(found[50].sample.features, features.numpy()[found[50].sample.positions[:, 0]], rtol=1e-5)


def test_embedding_is_reproducible_with_the_seed():
    features = np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32)
    assert np.array_equal(embedding(features, 5, seed=1), embedding(features, 5, seed=1))


def test_too_few_samples_are_rejected(opened):
    with pytest.raises(ValueError, match='--per-class must be at least 2, got 1'):
        analyse('net', opened(50), per_class=1)
    with pytest.raises(ValueError, match='--seed must be at least 0, got -1'):
        analyse('net', opened(50), seed=-1)
    with pytest.raises(ValueError, match='18 samples are too few for --perplexity 30. Increase --per-class .2. or '
                                         'set --perplexity below 18'):
        analyse('net', opened(50), per_class=2)


def test_models_with_different_samples_are_rejected(opened):
    first, other = (Features(f'seed {seed}', ['a'], summarise_split(opened(50), 'test', None, 4, seed), None, None, [])
                    for seed in (0, 1))
    check_same_data([first, first])
    with pytest.raises(ValueError, match='seed 0 and seed 1 differ in their classes or in the positions'):
        check_same_data([first, other])
    with pytest.raises(ValueError, match='differ in their classes or in the positions'):
        check_same_data([first, first._replace(classes=['b'])])
