"""An ISDALoss in the config that the model does not use stops the run before it starts."""

import pytest
from helpers import families
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from torch import nn

import isda_seg.hooks  # noqa: F401  registers ISDAHook and ISDALoss
from isda_seg.openmmlab.unused_losses import check_unused

OWN = dict(type='ISDALoss', lambda_0=7.5)


class Mask2FormerHead(nn.Module):
    """A head that accepts any key, like the one of MMSegmentation."""

    def __init__(self, **keys):
        super().__init__()
        self.cls_embed = nn.Linear(4, families.CLASSES + 1)


MODELS.register_module(module=Mask2FormerHead, name='TakesAnyKeyHead')


def config(main, auxiliary=None):
    common = dict(type='FCNHead', in_channels=8, in_index=0, channels=6, num_convs=1, num_classes=families.CLASSES)
    heads = [common | dict(loss_decode=loss) for loss in (main, auxiliary) if loss is not None]
    return dict(type='EncoderDecoder', backbone=dict(type='GivenMaps'), train_cfg={}, test_cfg=dict(mode='whole'),
                decode_head=heads[0], **(dict(auxiliary_head=heads[1]) if auxiliary else {}))


def test_an_unused_isda_loss_is_an_error_with_reason_and_remedy():
    named = config(OWN, OWN)
    named['decode_head'] = dict(type='TakesAnyKeyHead', loss_decode=OWN)
    built = nn.Module()
    built.add_module('auxiliary_head', families.build(config(OWN)).decode_head)
    built.add_module('decode_head', Mask2FormerHead(loss_decode=OWN))
    with pytest.raises(ValueError, match=r'contains ISDALoss 2 times, the model 1 times. The model does not use '
                                         r'model.decode_head.loss_decode \(it classifies masks instead of pixels.*\)\. '
                                         r'Delete this key. To wrap every supported loss, '
                                         r"use default_hooks = dict\(isda=dict\(type='isda_seg.hooks.ISDAHook', "):
        families.start(built, dict(type='ISDAHook'), dict(model=ConfigDict(named)))


@pytest.mark.parametrize('named', [config(OWN), config([OWN, dict(type='DiceLoss')], OWN),
                                   config(dict(type='CrossEntropyLoss'))], ids=['one', 'in a list', 'none'])
def test_isda_losses_in_the_model_pass(named):
    assert check_unused(ConfigDict(named), families.build(named)) is None


@pytest.mark.parametrize('named', [None, nn.Linear(2, 2), dict(type='Anything', init_cfg=None)], ids=str)
def test_a_model_without_a_config_passes(named):
    assert check_unused(named, nn.Linear(2, 2)) is None


def test_isda_losses_are_found_by_scoped_name_and_by_class():
    from isda_seg.losses import ISDALoss
    for kind in ('ISDALoss', 'mmengine.ISDALoss', ISDALoss):
        with pytest.raises(ValueError, match='contains ISDALoss 1 times, the model 0 times. The model does not use '
                                             'model.head.0'):
            check_unused(dict(head=[dict(type=kind)]), nn.Linear(2, 2))
