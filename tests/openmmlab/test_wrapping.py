"""Properties of the hook key: each softmax loss is wrapped in place, or the log says why not."""

import copy

import pytest
import torch
from helpers import families
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from torch import nn

from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.attachment.supported_heads import classifiers
from isda_seg.attachment.supported_losses import reason_not_softmax, require_softmax
from isda_seg.criterion import ISDACriterion
from isda_seg.hooks import ISDAHook
from isda_seg.losses import ISDALoss
from isda_seg.openmmlab.log_values import scalars
from isda_seg.openmmlab.pairs import find_pairs

KEY = dict(type='ISDAHook', lambda_0=7.5)
CE, DICE = families.CROSS_ENTROPY, dict(type='DiceLoss', loss_weight=3.0)
SIGMOID = dict(type='CrossEntropyLoss', use_sigmoid=True)
head, model = families.head, families.segmentor


def served(built, hook=KEY, **cfg):
    """The wrapped losses, and the log."""
    pairs, lines = families.start(built, hook, cfg)
    return [f'{pair.name}.{pair.path}' for pair in pairs], lines


def statistics(built):
    return sorted(name for name in built.state_dict() if 'statistics' in name)


def test_softmax_losses_in_lists_are_wrapped_and_others_are_not():
    built = model(head(loss=[CE, DICE]), [head(loss=dict(type='SoftmaxFocalLoss')), head(loss=SIGMOID)])
    plain = copy.deepcopy(built)
    places, lines = served(built)
    assert places == ['decode_head.loss_decode.0', 'auxiliary_head.0.loss_decode']
    assert lines == [
        'ISDA: decode_head (FCNHead): loss_decode.0 is attached to conv_seg, 4 classes x 6 channels, lambda_0=7.5, '
        'covariance=diagonal, resolution=label; loss_decode.1 is not wrapped: DiceLoss with use_sigmoid is not a '
        'softmax cross-entropy of one label per sample',
        'ISDA: auxiliary_head.0 (FCNHead): loss_decode is attached to conv_seg, 4 classes x 6 channels, lambda_0=7.5, '
        'covariance=diagonal, resolution=label',
        'ISDA: auxiliary_head.1 (FCNHead): loss_decode is not wrapped: CrossEntropyLoss with use_sigmoid is not a '
        'softmax cross-entropy of one label per sample']
    loss = built.decode_head.loss_decode[0]
    assert (type(loss.base).__name__, loss.base.loss_weight, loss.base.avg_non_ignore, loss.loss_name) == (
        'CrossEntropyLoss', 0.4, True, 'loss_ce')
    assert type(built.auxiliary_head[0].loss_decode.base) is SoftmaxFocalLoss
    assert sorted(families.step(built, 0.0)[0]) == sorted(families.step(plain)[0])


def test_the_hook_gives_the_same_statistics_names_as_the_config():
    one_key = model(head(loss=[CE, DICE]), head())
    own = dict(type='ISDALoss', lambda_0=7.5)
    in_config = model(head(loss=[own, DICE]), head(loss=own))
    served(one_key)
    served(in_config, dict(type='ISDAHook'))
    assert statistics(one_key) == statistics(in_config)
    assert statistics(one_key)[0] == 'auxiliary_head.loss_decode.statistics.count'
    families.step(in_config)
    loaded = one_key.load_state_dict(in_config.state_dict())
    assert (loaded.missing_keys, loaded.unexpected_keys) == ([], [])
    assert torch.equal(one_key.decode_head.loss_decode[0].statistics.mean,
                       in_config.decode_head.loss_decode[0].statistics.mean)


def test_wrapping_twice_changes_nothing():
    built = model(head('DAHead', [CE, DICE]), head(loss=SIGMOID))
    first, before = served(built), statistics(built)
    families.step(built)
    count = built.decode_head.loss_decode[0].conv_seg.statistics.count.clone()
    assert served(built) == first
    assert statistics(built) == before
    assert torch.equal(built.decode_head.loss_decode[0].conv_seg.statistics.count, count)
    assert len(built.decode_head.conv_seg._forward_pre_hooks) == 1


def test_an_isda_loss_in_the_config_keeps_its_own_keys():
    own = dict(type='ISDALoss', lambda_0=0.5, covariance='full')
    built = model(head(loss=own), head())
    _, lines = served(built, dict(KEY, covariance='shared', resolution='feature', sync=False, samples=3))
    assert [line.split('resolution=')[1] for line in lines] == ['label', 'feature, samples=3']
    main, auxiliary = built.decode_head.loss_decode, built.auxiliary_head.loss_decode
    assert (main.lambda_0, main.covariance, main.resolution, main.sync) == (0.5, 'full', 'label', True)
    assert (auxiliary.lambda_0, auxiliary.covariance, auxiliary.resolution, auxiliary.sync, auxiliary.samples) == (
        7.5, 'shared', 'feature', False, 3)
    assert type(main.base).__name__ == 'CrossEntropyLoss'


@pytest.mark.parametrize('heads, expected', [
    ('decode_head', ['decode_head']), (['auxiliary_head'], ['auxiliary_head.0', 'auxiliary_head.1']),
    (['-auxiliary_head.1'], ['decode_head', 'auxiliary_head.0']), ('-decode_head', ['auxiliary_head.0',
                                                                                   'auxiliary_head.1']),
    (['auxiliary_head', '-auxiliary_head.0'], ['auxiliary_head.1'])], ids=str)
def test_heads_are_included_or_excluded_by_name(heads, expected):
    built = model(head(), [head(), head()])
    places, lines = served(built, dict(KEY, heads=heads))
    assert places == [f'{name}.loss_decode' for name in expected]
    assert len(lines) == 3
    assert len([line for line in lines if line.endswith('is not wrapped: heads excludes it')]) == 3 - len(expected)


def test_an_unknown_head_is_an_error_with_the_known_heads():
    with pytest.raises(ValueError, match=r"Unknown head 'neck' in heads. Choose from .* \['decode_head'\]"):
        served(model(head()), dict(KEY, heads=['neck']))


@pytest.mark.parametrize('keys, message', [
    (dict(covarience='full'), r"does not accept \['covarience'\]. It accepts these keys of ISDALoss: \('covariance', "
                              "'resolution'"),
    (dict(covarience='full'), r'; covarience: did you mean covariance\?'),
    (dict(lambda_0=None, lamda_0=7.5), r'; lamda_0: did you mean lambda_0\?'),
    (dict(covariance='round'), "Unknown covariance 'round'"), (dict(resolution='both'), "Unknown resolution 'both'"),
    (dict(lambda_0=-1.0), 'lambda_0 must be'),
    (dict(lambda_0=None, covariance='full'), r"got \['covariance'\] without lambda_0"),
    (dict(lambda_0=None, heads='decode_head'), 'got heads without lambda_0')])
def test_a_bad_key_is_an_error_when_the_hook_is_built(keys, message):
    with pytest.raises(ValueError, match=message):
        ISDAHook(**{'lambda_0': 7.5, **keys})


def test_a_model_without_a_supported_loss_is_an_error_with_the_reason():
    own = copy.deepcopy(model(head(loss=SIGMOID)))
    own.decode_head.loss_decode = type('OwnLoss', (nn.Module,), {})()
    with pytest.raises(ValueError, match=r"no loss to wrap. decode_head \(FCNHead\): loss_decode is not wrapped: "
                                         r"OwnLoss is not a known softmax cross-entropy; if it is one, replace it in "
                                         r"the config by dict\("
                                         r"type='isda_seg.losses.ISDALoss', lambda_0=..., base=dict\(type='OwnLoss', "):
        served(own)
    with pytest.raises(ValueError, match='the model has no ISDALoss. Set lambda_0 to wrap every'):
        served(model(head()), dict(type='ISDAHook'))
    with pytest.raises(ValueError, match="the model has no loss: no module has a class or name with 'loss', 'crit"):
        served(nn.Sequential(nn.Linear(2, 2)))


@pytest.mark.parametrize('base', [nn.Module, nn.CrossEntropyLoss])
@pytest.mark.parametrize('name, key', [('OhemCE', 'objective'), ('Weighted', 'criterion'), ('DiceLossV2', 'objective'),
                                       ('CrossEntropy2d', 'objective'), ('MyCriterion', 'objective')])
def test_a_loss_of_any_name_is_reported_with_the_reason(name, key, base):
    own = nn.Module()
    own.fc = nn.Linear(2, 2)
    own.add_module(key, type(name, (base,), {})())
    with pytest.raises(ValueError, match=rf'{key} is not wrapped: {name} is not a known softmax cross-entropy; if it'):
        served(own)


def test_a_subclass_of_a_loss_without_softmax_is_rejected_too():
    own = nn.Module()
    own.fc, own.loss = nn.Linear(2, 2), type('MyDice', (type('DiceLoss', (nn.Module,), {}),), {})()
    with pytest.raises(ValueError, match='loss is not wrapped: MyDice is not a softmax cross-entropy of one label'):
        served(own)
    with pytest.raises(ValueError, match='MyDice is not a softmax cross-entropy of one label per sample, so ISDA'):
        require_softmax(own.loss)


@pytest.mark.parametrize('declared', [True, False])
def test_a_class_declares_whether_it_is_a_softmax_loss(declared):
    own = nn.Module()
    own.fc, own.loss = nn.Linear(2, 2), type('Weighted', (nn.CrossEntropyLoss,), dict(softmax=declared))()
    if declared:
        assert served(own)[0] == ['.loss']
    else:
        with pytest.raises(ValueError, match='Weighted is not a softmax cross-entropy of one label per sample'):
            served(own)


def holding(**children):
    """A module with these children."""
    own = nn.Module()
    for name, child in children.items():
        own.add_module(name, child)
    return own


@pytest.mark.parametrize('losses, place', [
    (nn.ModuleDict(dict(main=nn.CrossEntropyLoss())), 'losses.main'),
    (nn.ModuleList([nn.ModuleList([nn.CrossEntropyLoss()])]), 'losses.0.0'),
    (nn.ModuleDict(dict(main=nn.ModuleList([nn.CrossEntropyLoss()]))), 'losses.main.0')])
def test_losses_in_dicts_and_nested_lists_belong_to_the_head(losses, place):
    own = holding(fc=nn.Linear(2, 3), losses=losses)
    places, lines = served(own)
    assert places == [f'.{place}'] and f'{place} is attached to fc, 3 classes x 2 channels' in lines[0]
    assert isinstance(own.get_submodule(place), ISDALoss)
    assert served(own) == (places, lines)


def test_losses_in_a_dict_name_classifiers_of_another_dict():
    layers = nn.ModuleDict(dict(a=nn.Linear(2, 3), b=nn.Linear(2, 4)))
    losses = nn.ModuleDict({key: ISDALoss(1.0, base=nn.CrossEntropyLoss(), classifier=f'layers.{key}') for key in 'ab'})
    assert served(holding(layers=layers, losses=losses))[0] == ['.losses.a', '.losses.b']


def test_a_dict_with_a_classifier_is_the_head_of_its_losses():
    head = nn.ModuleDict(dict(fc=nn.Linear(2, 3), loss=nn.CrossEntropyLoss()))
    assert served(holding(stem=nn.Linear(2, 3), head=head))[0] == ['head.loss']


@pytest.mark.parametrize('second, message', [
    (nn.CrossEntropyLoss(weight=torch.ones(2)), 'CrossEntropyLoss has 2 class weights, the classifier 3 classes'),
    (ISDACriterion(lambda_0=1.0, total_steps=3), 'is an ISDACriterion, and the hook sets the strength')])
def test_an_error_leaves_the_model_as_it_was(second, message):
    first = nn.CrossEntropyLoss()
    heads = [holding(fc=nn.Linear(2, 3), loss=loss) for loss in (first, second)]
    with pytest.raises(ValueError, match=message):
        served(holding(a=heads[0], b=heads[1]))
    assert [head.loss for head in heads] == [first, second]
    assert [len(head.fc._forward_pre_hooks) for head in heads] == [0, 0]


def test_an_error_keeps_the_losses_that_were_attached_before():
    own = holding(a=holding(fc=nn.Linear(2, 3), loss=nn.CrossEntropyLoss()))
    served(own)
    loss = own.a.loss
    own.b = holding(fc=nn.Linear(2, 3), loss=nn.CrossEntropyLoss(weight=torch.ones(2)))
    with pytest.raises(ValueError, match='has 2 class weights'):
        served(own)
    assert own.a.loss is loss and loss.attached and len(own.a.fc._forward_pre_hooks) == 1


def test_a_criterion_of_plain_torch_in_the_model_is_an_error_with_a_remedy():
    own = nn.Module()
    own.fc, own.loss = nn.Linear(2, 2), ISDACriterion(lambda_0=1.0, total_steps=3)
    with pytest.raises(ValueError, match='loss is an ISDACriterion, .* an isda_seg.losses.ISDALoss.*: replace it'):
        served(own)
    own.loss = ISDALoss(1.0, base=nn.CrossEntropyLoss())
    assert served(own)[0] == ['.loss']


def test_a_head_declares_the_classifiers_of_its_losses():
    built = model(head())
    built.decode_head.other = nn.Conv2d(6, families.CLASSES, 1)
    type(built.decode_head).isda_classifiers = dict(loss_decode=('conv_seg',))
    try:
        places, lines = served(built)
    finally:
        del type(built.decode_head).isda_classifiers
    assert places == ['decode_head.loss_decode'] and 'conv_seg' in lines[0]


def test_a_head_that_declares_no_classifier_keeps_its_loss():
    own = nn.Module()
    own.conv_seg, own.loss_decode = nn.Conv2d(4, 3, 1), nn.CrossEntropyLoss()
    assert classifiers(own, 'loss_decode') is None  # found by structure
    own.isda_classifiers = {}
    assert classifiers(own, 'loss_decode') == ()


def test_naming_one_of_two_classifiers_works():
    built = model(head())
    built.decode_head.other = nn.Conv2d(6, families.CLASSES, 1)
    with pytest.raises(ValueError, match=r"found 2 among \{'conv_seg': 4, 'other': 4\}; if loss_decode receives the "
                                         r"logits of one of them, name it: dict\(type='isda_seg.losses.ISDALoss', "
                                         r"lambda_0=..., classifier='conv_seg'\)"):
        served(built)
    with DefaultScope.overwrite_default_scope('mmseg'):
        built.decode_head.loss_decode = MODELS.build(dict(
            type='isda_seg.losses.ISDALoss', lambda_0=7.5, classifier='conv_seg'))
    assert served(built)[0] == ['decode_head.loss_decode']
    assert 'loss_isda' in ''.join(families.step(built, 1.0)[0])


@pytest.mark.parametrize('loss', [MeanCrossEntropy(), nn.CrossEntropyLoss(ignore_index=2), nn.CrossEntropyLoss()],
                         ids=['ours', "torch's, own ignore_index", "torch's"])
def test_the_cross_entropy_of_an_image_classifier_is_wrapped(loss):
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.num_classes, self.fc, self.loss = 3, nn.Linear(5, 3), loss

    built, features, labels = Classifier(), torch.randn(12, 5), torch.arange(12) % 3
    expected = loss(built.fc(features), labels)
    places, lines = served(built)
    assert (places, len(lines)) == (['.loss'], 1)
    assert lines[0].startswith('ISDA: the model (Classifier): loss is attached to fc, 3 classes x 5 channels')
    assert torch.equal(built.loss(built.fc(features), labels), expected)
    ignored = getattr(loss, 'ignore_index', -100)
    assert int(built.loss.statistics.count.sum()) == int((labels != ignored).sum())


# -- heads with several classifiers ------------------------------------------------------------------------------------

def family(name):
    return Config.fromfile(families.one_of_each()[name], import_custom_modules=False).model


def with_isda_losses(built):
    """A model with each softmax loss replaced by an ISDALoss, as in a config."""
    for holder in [holder for holder in built.modules() if hasattr(holder, 'loss_decode')]:
        several = isinstance(holder.loss_decode, nn.ModuleList)
        inner = holder.loss_decode if several else holder
        for place, loss in list(inner.named_children()):
            if reason_not_softmax(loss) is None:
                inner.add_module(place, ISDALoss(7.5, base=loss, loss_name=loss.loss_name))
    return built


@pytest.mark.parametrize('name, places', [
    ('danet', {'loss_decode.conv_seg': 'conv_seg', 'loss_decode.pam_conv_seg': 'pam_conv_seg',
               'loss_decode.cam_conv_seg': 'cam_conv_seg'}),
    ('ddrnet', {'loss_decode.0': 'conv_seg', 'loss_decode.1': 'aux_cls_seg'}),
    ('encnet', {'loss_decode': 'conv_seg'}),
    ('knet', {'loss_decode.conv_seg': 'conv_seg'}),
    ('pidnet', {'loss_decode.0': 'p_cls_seg', 'loss_decode.1': 'conv_seg', 'loss_decode.3': 'conv_seg'}),
    pytest.param('point_rend', {'loss_decode': 'fc_seg'}, marks=pytest.mark.ops),
])
def test_each_loss_is_attached_to_the_classifier_of_its_logits(name, places):
    one_key = families.build(families.narrow(family(name)))
    explicit = with_isda_losses(copy.deepcopy(one_key))
    steps = []
    for built, hook in ((one_key, KEY), (explicit, dict(type='ISDAHook'))):
        pairs, lines = families.start(built, hook)
        *_, last = [pair.name for pair in pairs if pair.name.startswith('decode_head')]
        assert {pair.path: next(key for key, child in pair.head.named_children() if child is pair.classifier)
                for pair in pairs if pair.name == last} == places
        assert ('the later stages, whose kernels depend on the image' in lines[0]) == (name == 'knet')
        steps.append(families.step(built, 3.0, pairs))
    for first, second in zip(*steps, strict=True):
        assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_per_call_losses_evaluate_the_base_and_reject_extra_calls():
    built = model(head('DAHead'))
    served(built)
    loss = built.decode_head.loss_decode
    logits, labels = torch.randn(2, families.CLASSES, 4, 4), torch.randint(families.CLASSES, (2, 4, 4))
    with torch.no_grad():
        assert torch.equal(loss(logits, labels), loss.conv_seg.base(logits, labels))
    assert loss.conv_seg.statistics.count.tolist() == [0] * families.CLASSES
    families.step(built)
    with pytest.raises(RuntimeError, match='without a new forward pass of its classifier'):
        loss(logits.requires_grad_(), labels)


@pytest.mark.parametrize('name, reason', [
    ('segmenter', 'its logits are products with class embeddings that depend on the image'),
    ('san', 'it classifies masks instead of pixels')])
def test_an_isda_loss_in_an_unsupported_head_is_an_error(name, reason):
    kind = family(name).decode_head.type
    holder = type(kind, (nn.Module,), {})()
    holder.num_classes, holder.classes_proj = families.CLASSES, nn.Linear(6, families.CLASSES)
    holder.loss_decode = ISDALoss(7.5, base=MeanCrossEntropy())
    built = nn.Module()
    built.add_module('decode_head', holder)
    with pytest.raises(ValueError, match=rf'^decode_head \({kind}\): {reason}.*ISDA does not support this head: '
                                         'replace the ISDALoss by the original loss'):
        list(find_pairs(built))


def test_the_boundary_head_of_stdc_is_an_error():
    boundary = head('STDCHead', [dict(type='ISDALoss', lambda_0=7.5), DICE], out_channels=1)
    built = model(head(), dict(boundary, num_classes=2))
    with pytest.raises(ValueError, match=r"auxiliary_head \(STDCHead\): .* found 0 among \{'conv_seg': 1\}; a single "
                                         'output means a sigmoid'):
        served(built)


def test_logged_losses_of_one_name_are_distinguished_by_place():
    pairs, _ = families.start(families.build(families.narrow(family('pidnet'))), KEY)
    assert [pair.loss.loss_name for pair in pairs] == ['loss_ce', 'loss_ohem', 'loss_ohem']
    assert [key for key in scalars(pairs) if key.endswith('_strength')] == [
        f'decode_head.{name}_strength' for name in ('loss_ce', 'loss_decode.1', 'loss_decode.3')]
    pairs, _ = families.start(model(head()), KEY)
    assert scalars(pairs) == {'decode_head.isda_strength': 0.0, 'decode_head.isda_table_mean': 0.0,
                              'decode_head.isda_table_max': 0.0}
