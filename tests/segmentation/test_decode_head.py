"""Which decode heads are a softmax over their classes."""
import pytest
from mmengine.config import Config
from mmseg.models import FCNHead
from mmseg.registry import MODELS

import isda_seg.segmentation  # noqa: F401  (registers the modules)
from isda_seg.segmentation.decode_head import ignored, num_classes, reason_not_multi_class

CE = dict(type='CrossEntropyLoss')
SIGMOID = dict(CE, use_sigmoid=True)


@MODELS.register_module()
class SigmoidHead(FCNHead):
    """A head whose class has a sigmoid loss."""

    def __init__(self, loss_decode=SIGMOID, **kwargs):
        super().__init__(loss_decode=loss_decode, **kwargs)


@MODELS.register_module()
class ProbabilityHead(FCNHead):
    """A head that predicts probabilities."""

    def predict_by_feat(self, logits, metas):
        return super().predict_by_feat(logits, metas).sigmoid()


@MODELS.register_module()
class ElevenClassHead(FCNHead):
    """A head whose class sets its classes and its ignored label."""

    def __init__(self, **kwargs):
        super().__init__(num_classes=11, ignore_index=11, **kwargs)


def reason(wrap=False, **head):
    model = dict(decode_head=dict(dict(type='FCNHead', num_classes=2), **head))
    return reason_not_multi_class(Config(dict(model=dict(module=model) if wrap else model)))


@pytest.mark.parametrize('head', [
    {}, dict(loss_decode=CE), dict(out_channels=2), dict(wrap=True), dict(loss_decode=dict(type='OhemCrossEntropy')),
    dict(loss_decode=[dict(type='DiceLoss'), CE]), dict(loss_decode=dict(type='DiceLoss', use_sigmoid=False)),
    dict(loss_decode=dict(type='isda_seg.losses.ISDALoss', lambda_0=1))])
def test_softmax_heads_are_recognised(head):
    assert reason(**head) is None


@pytest.mark.parametrize('head, words', [
    (dict(out_channels=1, loss_decode=dict(CE, use_sigmoid=True)), 'has 1 outputs for 2 classes'),
    (dict(loss_decode=dict(CE, use_sigmoid=True)), 'CrossEntropyLoss is not a known softmax loss'),
    (dict(loss_decode=dict(CE, use_mask=True)), 'CrossEntropyLoss is not a known softmax loss'),
    (dict(loss_decode=[dict(CE, use_sigmoid=True), dict(type='DiceLoss', use_sigmoid=False)]), 'CrossEntropyLoss is n'),
    (dict(type='SigmoidHead'), 'CrossEntropyLoss is not a known softmax loss'),
    (dict(type='ProbabilityHead'), 'ProbabilityHead has its own predict_by_feat, whose result need not be logits'),
    (dict(loss_decode=dict(type='FocalLoss')), 'FocalLoss is not a known softmax loss'),
    (dict(loss_decode=[dict(type='DiceLoss')]), 'DiceLoss is not a known softmax loss'),
    (dict(loss_decode=dict(type='LovaszLoss', loss_type='binary')), 'LovaszLoss is not'),
    (dict(type='Mask2FormerHead'), 'Mask2FormerHead classifies masks'),
    (dict(type='SideAdapterCLIPHead', loss_decode=[CE, dict(type='DiceLoss')]), 'SideAdapterCLIPHead classifies')])
def test_other_heads_have_a_reason(head, words):
    assert words in reason(**head)


def test_the_classes_and_the_ignored_label_of_k_net_are_found():
    inner = dict(type='FCNHead', num_classes=2, ignore_index=7, loss_decode=dict(type='FocalLoss'))
    cfg = Config(dict(model=dict(decode_head=dict(type='IterativeDecodeHead', kernel_generate_head=inner))))
    assert ignored(cfg) == 7
    assert reason_not_multi_class(cfg) == 'FocalLoss is not a known softmax loss'


def test_classes_and_ignored_label_that_a_head_sets_itself_are_found():
    head = dict(type='ElevenClassHead', in_channels=4, channels=4, loss_decode=dict(type='Unbuilt'))
    cfg = Config(dict(model=dict(decode_head=head)))
    assert (num_classes(cfg), ignored(cfg)) == (11, 11)
    head['type'] = 'FCNHead'
    assert (num_classes(Config(dict(model=dict(decode_head=dict(head, num_classes=3))))), ignored(cfg)) == (3, 11)
    assert (num_classes(Config({})), ignored(Config({}))) == (0, 255)
