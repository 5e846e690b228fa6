"""A backbone in the authors' published key layout has the same features in a detector's ResNet-50."""
import pytest
import torch
from helpers import tiny
from helpers.resnet_features import features, fixed_image
from mmengine.registry import MODELS

AS_IN_DETECTORS = dict(depth=50, num_stages=4, out_indices=(0, 1, 2, 3), frozen_stages=1, norm_eval=True,
                       norm_cfg=dict(type='BN', requires_grad=True), style='pytorch')
NETWORKS = ['mmseg.ResNet', pytest.param('mmdet.ResNet', marks=pytest.mark.mmdet)]


def detectors_backbone(kind, path):
    """Build and initialise as a detector does, in training mode."""
    network = MODELS.build(dict(AS_IN_DETECTORS, type=kind, init_cfg=dict(type='Pretrained', checkpoint=str(path))))
    network.init_weights()
    network.train()  # returns nothing here
    return network


@pytest.mark.parametrize('kind', NETWORKS)
@pytest.mark.parametrize('source', ['exported', 'released'])
def test_features_equal_the_source_within_1e_5(kind, source, backbones):
    network = detectors_backbone(kind, getattr(backbones['isda'], source)).double()
    expected = features({key: value.double() for key, value in backbones['isda'].state.items()}, fixed_image())
    with torch.no_grad():
        found = network(fixed_image())[-1]
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert expected.abs().max() > 0.1


@pytest.mark.parametrize('kind', NETWORKS)
def test_every_tensor_equals_the_source(kind, backbones):
    network = detectors_backbone(kind, backbones['isda'].exported)
    assert tiny.differing(dict(network.state_dict()), dict(backbones['isda'].state)) == []


@pytest.mark.parametrize('kind', NETWORKS)
def test_first_stage_is_frozen_and_norms_keep_their_moments(kind, backbones):
    network = detectors_backbone(kind, backbones['isda'].exported)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert {norm.training for norm in norms} == {False} and len(norms) == 53
    frozen = {name.split('.')[0] for name, value in network.named_parameters() if not value.requires_grad}
    assert frozen == {'conv1', 'bn1', 'layer1'}
    network(fixed_image(torch.float32))[-1].sum().backward()
    moments = {key: value for key, value in backbones['isda'].state.items() if 'running' in key}
    assert tiny.differing({key: network.state_dict()[key] for key in moments}, moments) == []
