"""Preprocessing, features and moments of the feature network."""
import numpy as np
import pytest
import torch
from helpers import tiny
from mmcv.transforms import BaseTransform
from mmengine.registry import MODELS
from torch import nn

from isda_seg.paper.visualisation.feature_network import FeatureAdapter, classifier_features
from isda_seg.paper.visualisation.training_images import training_images
from isda_seg.runtime.isolation import frozen
from isda_seg.runtime.launch import load_config

CONFIG = tiny.ROOT / 'configs' / 'miniature' / 'resnet8_digits.py'


@pytest.fixture
def cfg(tmp_path):
    return load_config(str(CONFIG), dict(), str(tmp_path))


def images(count=4, side=8):
    return torch.randint(256, (count, 3, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_features_equal_the_input_of_the_classifier(cfg):
    cfg.data_preprocessor.update(mean=[100.0, 110.0, 120.0], std=[50.0, 60.0, 70.0])
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor)).eval()
    entered = []
    model.fc.register_forward_pre_hook(lambda module, args: entered.append(args[0]))
    batch = dict(inputs=images().flip(1), labels=torch.zeros(4))  # BGR, as a pipeline gives them
    model(model.data_preprocessor(batch)['inputs'])
    torch.testing.assert_close(classifier_features(model, 8)(images() / 255), entered[0])


def test_images_are_resized_and_normalised():
    network = FeatureAdapter(nn.Identity(), [0.1, 0.2, 0.3], [0.5, 1.0, 2.0], resolution=4)
    constant = torch.tensor([0.6, 0.7, 0.8])[:, None, None]
    for side in (4, 2, 8):
        torch.testing.assert_close(network.preprocess(constant.expand(2, 3, side, side)),
                                   torch.tensor([1.0, 0.5, 0.25])[:, None, None].expand(2, 3, 4, 4))
    torch.testing.assert_close(network(constant.expand(2, 3, 8, 8)), torch.tensor([[1.0, 0.5, 0.25]] * 2))


def test_moments_equal_numpy_in_eval_mode():
    network = FeatureAdapter(nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)), [0.0] * 3, [1.0] * 3).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    moments = network.moments(images(300))
    assert tiny.differing(before, network.state_dict()) == [] and network.network[1].training
    features = network.eval()(images(300) / 255).detach().double().numpy()
    np.testing.assert_allclose(moments.mean[0], features.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moments.covariance[0], np.cov(features.T, bias=True), rtol=1e-4, atol=1e-8)


def test_frozen_restores_the_network_after_an_error():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    network[0].bias.requires_grad_(False)
    with pytest.raises(RuntimeError, match='within'), frozen(network):
        assert ([weight.requires_grad for weight in network.parameters()], network[1].training) == ([False] * 4, False)
        raise RuntimeError('within')
    assert [weight.requires_grad for weight in network.parameters()] == [True, False, True, True]
    assert network.training and network[1].training


def test_training_images_of_a_class_are_ordered_and_not_augmented(cfg):
    datasets = pytest.importorskip('sklearn.datasets')
    data = training_images(cfg, '3')
    assert (data.images.dtype, tuple(data.images.shape[1:]), data.classes) == (
        torch.uint8, (3, 8, 8), tuple('0123456789'))
    assert set(data.labels.tolist()) == {3}
    digits = datasets.load_digits()
    threes = [np.round(image * 255 / 16).astype(np.uint8).tobytes() for image in digits.images[digits.target == 3]]
    places = [threes.index(image[0].numpy().tobytes()) for image in data.images]
    assert places == sorted(places) and len(places) == round(len(threes) * 0.8)
    assert len(training_images(cfg).images) == 1437
    with pytest.raises(ValueError, match="unknown class 'cat'. Choose from 0, 1, "):
        training_images(cfg, 'cat')


def test_other_models_than_rgb_classifiers_are_rejected(cfg):
    with pytest.raises(ValueError, match='needs an image classifier, got Linear'):
        classifier_features(nn.Linear(2, 2), 8)
    cfg.data_preprocessor.bgr_to_rgb = False
    with pytest.raises(ValueError, match='bgr_to_rgb is False'):
        classifier_features(MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor)), 8)
    cfg.model.type = 'EncoderDecoder'
    with pytest.raises(ValueError, match='need the config of an image classifier'):
        training_images(cfg)


class RowRemoved(BaseTransform):
    """Remove a row of the images with an odd label, or raise."""

    def __init__(self, fails):
        self.fails = fails

    def transform(self, results):
        if self.fails:
            raise RuntimeError('out of memory')
        return dict(results, img=results['img'][results['gt_label'] % 2:])


@pytest.mark.parametrize('fails, error, message', [
    (False, ValueError, 'have different sizes, such as 7 x 8 and 8 x 8. Add a Resize and a CenterCrop to test_data'),
    (True, RuntimeError, 'out of memory')])
def test_only_images_of_different_sizes_are_reported_as_such(cfg, fails, error, message):
    pytest.importorskip('sklearn')
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.pipeline.insert(0, dict(type=RowRemoved, fails=fails))
    with pytest.raises(error, match=message):
        training_images(cfg)
