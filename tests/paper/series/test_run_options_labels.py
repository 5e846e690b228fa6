"""Labels held out of a semi-supervised config are evaluated and not trained on."""
import copy

import pytest
from helpers import tiny_images
from mmengine.config import Config
from mmengine.registry import DATASETS

import isda_seg.semi  # noqa: F401  registers the datasets
from isda_seg.paper.series.run_options import hold_out, training_images


@pytest.fixture
def cfg(tmp_path):
    images = dict(type='CIFARDataset', data_root=str(tiny_images.write_cifar(tmp_path)))
    test = dict(images, split='test', pipeline=[dict(type='PackImages')])
    return Config(dict(
        default_scope='mmengine',
        train_dataloader=dict(dataset=dict(
            type='TwoStreamDataset', dataset=images, num_labels=40, label_seed=3, views=2,
            pipeline=[dict(type='RandomReflectCrop'), dict(type='PackImages')])),
        val_dataloader=dict(dataset=test), test_dataloader=dict(dataset=copy.deepcopy(test))))


def test_held_out_labels_are_evaluated_and_not_trained_on(cfg):
    before, arm = copy.deepcopy(cfg), hold_out(cfg, 0.25)
    every, train = (DATASETS.build(one.train_dataloader.dataset) for one in (cfg, arm))
    for loader in (arm.val_dataloader, arm.test_dataloader):
        held = DATASETS.build(loader.dataset)
        assert sorted([*train.labelled_indices, *held.indices]) == every.labelled_indices.tolist()
        assert (len(held), len(train.labelled_indices), len(train)) == (10, 30, 100)
        assert loader.dataset.pipeline == cfg.val_dataloader.dataset.pipeline
    assert arm.val_dataloader.dataset == arm.test_dataloader.dataset
    assert {**arm.train_dataloader.dataset, 'held_out': None} == {**cfg.train_dataloader.dataset, 'held_out': None}
    assert before.to_dict() == cfg.to_dict()


def test_training_images_counts_labelled_images(cfg):
    assert (training_images(cfg), training_images(hold_out(cfg, 0.25))) == (40, 30)


def test_share_that_leaves_a_class_without_label_is_rejected(cfg):
    cfg.train_dataloader.dataset.num_labels = 10
    with pytest.raises(ValueError, match='held_out=0.5 of 10 labels gives 5 held-out labels and 5 classes without'):
        hold_out(cfg, 0.5)
