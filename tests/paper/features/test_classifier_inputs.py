"""Batches of a checkpoint hold the inputs of its classifier; its weights are loaded completely or not at all."""
import copy
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import tiny, tiny_images
from torch import nn

from isda_seg.attachment.label_grid import labels_on_grid
from isda_seg.paper.features.classifier_inputs import IGNORED, OpenedModel, batches, load_weights, open_checkpoint
from isda_seg.paper.features.classifier_pairs import pair_of
from isda_seg.paper.features.split_data import split_loader
from isda_seg.paper.visualisation.class_directions import labels_of_names
from isda_seg.runtime.launch import load_config


def loaded(config, folder, **options):
    return load_config(str(config), options, str(folder / 'work'))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """{'isda': a tiny config and its checkpoint of two steps, 'plain': its twin, and that without the statistics}."""
    plain, exported, isda, checkpoint = tiny.trained_pair(tmp_path_factory.mktemp('trained'))
    return dict(isda=(isda, checkpoint), plain=(plain, exported))


def opened(trained, folder, config, checkpoint, **options):
    return open_checkpoint(loaded(trained[config][0], folder, **options), str(trained[checkpoint][1]))


@pytest.mark.parametrize('head', [None, 'auxiliary_head'])
def test_batches_hold_classifier_inputs_and_labels_at_their_positions(trained, tmp_path, head):
    model = opened(trained, tmp_path, 'isda', 'isda')
    pair = pair_of(model.pairs, head)
    assert pair.name == (head or 'decode_head')
    dataset = tiny.build(trained['isda'][0], tmp_path / 'x').build_dataloader(model.cfg.test_dataloader).dataset
    for number, batch in enumerate(batches(model, 'test', head)):
        with torch.no_grad():
            assert torch.equal(pair.classifier(batch.features), batch.logits)
        sample = dataset[number]
        expected = labels_on_grid(sample['data_samples'].gt_sem_seg.data.long(), batch.features.shape[2:], False)
        assert torch.equal(batch.labels, expected.masked_fill(expected == 11, IGNORED))
        assert torch.equal(batch.images[0], sample['inputs'].flip(0))
        assert batch.sources == [sample['data_samples'].img_path]
        features, labels, _ = batch.labelled()
        kept = (batch.labels[0] != IGNORED).nonzero()
        assert torch.equal(features, torch.stack([batch.features[0, :, i, j] for i, j in kept]))
        assert torch.equal(labels, torch.stack([batch.labels[0, i, j] for i, j in kept]))
    assert number == 2


def test_iterating_does_not_change_the_model(trained, tmp_path):
    model = opened(trained, tmp_path, 'isda', 'isda')
    before = copy.deepcopy(model.model.state_dict())
    hooks = [len(pair.classifier._forward_hooks) for pair in model.pairs]
    assert sum(len(batch.images) for batch in batches(model, 'train')) == 6
    assert tiny.differing(before, model.model.state_dict()) == []
    assert [len(pair.classifier._forward_hooks) for pair in model.pairs] == hooks
    assert [module for module in model.model.modules() if module.training] == []


def test_statistics_come_from_the_checkpoint_or_are_empty(trained, tmp_path):
    saved = torch.load(trained['isda'][1], weights_only=False)['state_dict']
    pair = pair_of(opened(trained, tmp_path, 'isda', 'isda').pairs)
    assert torch.equal(pair.loss.statistics.covariance, saved['decode_head.loss_decode.statistics.covariance'])
    for config in ('plain', 'isda'):
        pairs = opened(trained, tmp_path, config, 'plain').pairs
        assert [(pair.name, int(pair.loss.statistics.count.sum())) for pair in pairs] == [
            ('decode_head', 0), ('auxiliary_head', 0)]


def test_train_split_uses_the_test_pipeline_by_default(trained, tmp_path):
    model = opened(trained, tmp_path, 'plain', 'plain')
    shapes = {augmented: {tuple(batch.images.shape[2:]) for batch in batches(model, 'train', augmented=augmented)}
              for augmented in (False, True)}
    assert shapes == {False: {(48, 64)}, True: {(48, 48)}}


def test_padding_of_the_preprocessor_is_ignored(trained, tmp_path):
    bare = opened(trained, tmp_path, 'plain', 'plain')
    padded = opened(trained, tmp_path, 'plain', 'plain',
                    **{'model.data_preprocessor.test_cfg': dict(size=(72, 80))})
    for small, large in zip(batches(bare), batches(padded), strict=True):
        h, w = small.labels.shape[1:]
        assert large.labels.shape[1:] == (h * 3 // 2, w * 5 // 4)
        assert torch.equal(large.labels, F.pad(small.labels, (0, w // 4, 0, h // 2), value=IGNORED))


def test_classifier_batches_equal_its_test_batches(monkeypatch, tmp_path):
    monkeypatch.setenv('ISDA_SEG_DATA', str(tmp_path))
    tiny_images.write_cifar(tmp_path)
    cfg = loaded(tiny.ROOT / 'configs/classification/cifar10/resnet32_isda_cifar10.py', tmp_path)
    tiny_images.shrink(cfg)
    cfg.test_dataloader.dataset.indices, cfg.test_dataloader.batch_size = 20, 8
    path = tmp_path / 'model.pth'
    from mmengine.registry import MODELS
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=tuple('abcdefghij')))), path)
    found = open_checkpoint(cfg, str(path))
    found_batches = list(batches(found))
    assert [len(batch.labels) for batch in found_batches] == [8, 8, 4]
    assert [source for batch in found_batches for source in batch.sources] == list(range(20))
    assert torch.equal(torch.cat([batch.labels for batch in found_batches]), torch.arange(20) % 10)
    assert found.classes(found.pairs[0]) == list('abcdefghij')
    with torch.no_grad():
        data = dict(inputs=found_batches[0].images.flip(1), labels=[0] * 8)
        expected = found.model(found.model.data_preprocessor(data)['inputs'])
    assert torch.equal(found_batches[0].logits, expected)


def test_invalid_checkpoints_heads_and_splits_are_rejected(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match='the checkpoint nowhere.pth does not exist'):
        open_checkpoint(loaded(trained['isda'][0], tmp_path), 'nowhere.pth')
    with pytest.raises(ValueError, match='contains ISDA statistics.*Use the config of the training'):
        opened(trained, tmp_path, 'plain', 'isda')
    with pytest.raises(ValueError, match='is not a checkpoint of the model of this config: .* wrong shape'):
        opened(trained, tmp_path, 'isda', 'isda', **{'model.auxiliary_head.channels': 4})
    with pytest.raises(ValueError, match='no head of this model has a linear classifier.*decode_head: ISDA needs'):
        opened(trained, tmp_path, 'plain', 'plain', **{
            'model.auxiliary_head': None, 'model.decode_head.out_channels': 1, 'model.decode_head.num_classes': 2,
            'model.decode_head.loss_decode.use_sigmoid': True})
    model = opened(trained, tmp_path, 'plain', 'plain')
    with pytest.raises(ValueError, match='--head neck matches no classifier .* decode_head.conv_seg, auxiliary_head'):
        next(batches(model, head='neck'))
    with pytest.raises(ValueError, match='no data for --split all. Choose one of test, val, train'):
        next(batches(model, 'all'))
    model.cfg.test_dataloader.dataset.pipeline.pop(2)
    with pytest.raises(ValueError, match='some images of this split have no labels'):
        next(batches(model))


def test_labels_above_255_are_kept(tmp_path):
    cfg = load_config(str(tiny.write_configs(tmp_path, train=1, val=1)[0]), {}, str(tmp_path / 'work'))
    cfg.model.decode_head.update(num_classes=300, ignore_index=65535)
    assert cv2.imwrite(str(tmp_path / 'camvid' / 'valannot' / '0.png'), np.full((48, 64), 290, np.uint16))
    sample, = next(iter(split_loader(cfg, 'val')))['data_samples']
    assert sample.gt_sem_seg.data.unique().tolist() == [290]


class Net(nn.Module):
    """A layer, and the memory of a method for few labels with a row per image."""

    def __init__(self, images=0):
        super().__init__()
        self.fc, self.method = nn.Linear(3, 2), nn.Module()
        self.method.register_buffer('ensemble', torch.ones(images, 2))


def saved(folder, **state):
    torch.save(dict(state_dict=state, meta=dict(epoch=3)), folder / 'model.pth')
    return str(folder / 'model.pth')


def test_weights_are_loaded_without_per_image_buffers(tmp_path):
    trained, fresh = Net(images=5), Net()
    path = saved(tmp_path, **{f'module.{key}': value for key, value in trained.state_dict().items()})
    assert load_weights(fresh, path) == dict(epoch=3)
    assert torch.equal(fresh.fc.weight, trained.fc.weight)
    assert fresh.method.ensemble.shape == (0, 2)


@pytest.mark.parametrize('change, words', [
    (dict(conv=torch.ones(1)), 'unexpected: fc.conv'), (dict(weight=None), 'missing: fc.weight'),
    (dict(weight=torch.ones(4, 3)), r'wrong shape: fc.weight \(4, 3\) instead of \(2, 3\)')])
def test_weights_of_another_model_are_rejected(tmp_path, change, words):
    net = Net()
    state = {f'fc.{key}': value for key, value in dict(net.fc.state_dict(), **change).items() if value is not None}
    with pytest.raises(ValueError, match=f'is not a checkpoint of the model of this config: .*{words}'):
        load_weights(net, saved(tmp_path, **state))


def test_url_checkpoint_is_rejected():
    with pytest.raises(ValueError, match='is a URL; download it'):
        load_weights(Net(), 'https://example.org/model.pth')


def test_classes_of_one_name_are_told_apart_by_their_index():
    pair = SimpleNamespace(loss=SimpleNamespace(statistics=SimpleNamespace(num_classes=3)))
    names = OpenedModel(None, None, [], dict(dataset_meta=dict(classes=('car', 'road', 'car')))).classes(pair)
    assert names == ['car (class 0)', 'road', 'car (class 2)']
    assert labels_of_names(['car (class 2)', 'road'], names) == [2, 1]
