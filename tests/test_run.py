"""Every config is routed to the task that can check its data and evaluate it."""
import pytest
from mmengine.config import Config

from isda_seg.run import all_protocols, task_of

ALL = ('single', 'ms', 'ms-flip')


@pytest.mark.parametrize('config, task, protocols', [
    (dict(model=dict(type='ImageClassifier'), default_scope='mmseg'), 'classification', ('single',)),
    (dict(model=dict(type='SemiClassifier')), 'classification', ('single',)),
    (dict(model=dict(type='EncoderDecoder'), default_scope='mmseg'), 'segmentation', ALL),
    (dict(model=dict(type='MaskRCNN'), default_scope='mmdet'), 'detection', ('single',)),
    (dict(model=dict(type='Other'), default_scope='mmpose'), None, ALL),
    (dict(), None, ALL)])
def test_a_config_belongs_to_the_task_of_its_model_or_scope(config, task, protocols):
    assert (task_of(Config(config)), all_protocols(Config(config))) == (task, protocols)
