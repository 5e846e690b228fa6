"""FrozenBackbone: features equal those of the backbone in eval mode and are computed once per image."""
import copy

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn
from torch.testing import assert_close

from isda_seg.segmentation import FrozenBackbone


@MODELS.register_module()
class CountingBackbone(nn.Module):
    """Two feature maps, one of them normalised; counts the images it has seen."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.seen = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), 0

    def forward(self, images):
        self.seen += len(images)
        return images.mean(1, keepdim=True), self.norm(self.conv(images))


@pytest.fixture
def frozen():
    torch.manual_seed(0)
    return FrozenBackbone(dict(type='mmseg.CountingBackbone'), cached=3).train()


IMAGES = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def test_features_are_those_of_the_backbone_in_eval_mode_without_gradients(frozen):
    found = frozen(IMAGES)
    alone = copy.deepcopy(frozen.backbone).eval()(IMAGES)
    assert_close(found, tuple(level.detach() for level in alone))
    assert not any(level.requires_grad for level in found)
    assert [name for name, parameter in frozen.named_parameters() if parameter.requires_grad] == []
    assert frozen.training and not frozen.backbone.training
    assert frozen.backbone.norm.num_batches_tracked == 0


def test_cached_image_passes_the_backbone_once_in_any_batch(frozen):
    first = frozen(IMAGES)
    assert frozen.backbone.seen == 4
    again = frozen(IMAGES[[2, 0, 1, 3]])
    assert frozen.backbone.seen == 5  # the fourth found no place
    assert all(torch.equal(a[[2, 0, 1, 3]], b) for a, b in zip(first, again, strict=True))


def test_cache_is_off_by_default():
    plain = FrozenBackbone(dict(type='mmseg.CountingBackbone'))
    plain(IMAGES), plain(IMAGES)
    assert plain.backbone.seen == 8


def test_new_weights_clear_the_cache(frozen):
    before = frozen(IMAGES)[1]
    frozen.load_state_dict({key: value + 1 if key.endswith('weight') else value
                            for key, value in frozen.state_dict().items()})
    after = frozen(IMAGES)[1]
    assert not torch.equal(before, after)
    assert_close(after, frozen.backbone(IMAGES)[1].detach())


def test_new_dtype_clears_the_cache(frozen):
    frozen(IMAGES)
    assert frozen.double()(IMAGES.double())[1].dtype == torch.float64


def test_copy_has_an_empty_cache(frozen):
    frozen(IMAGES)
    other = copy.deepcopy(frozen)
    other(IMAGES)
    assert other.backbone.seen == 8
