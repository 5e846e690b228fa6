"""ISDALoss in a config on the heads of MMSegmentation: Eq. 7, unchanged inference, or a clear error."""

import pytest
import reference
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.core import augment_logits
from isda_seg.losses import ISDALoss
from isda_seg.openmmlab.pairs import find_pairs

register_all_modules(init_default_scope=False)

CLASSES, IGNORE, STRENGTH, LABELS = 4, 255, 6.0, (33, 33)
DIFF = dict(loss_decode=dict(type='ISDALoss', lambda_0=7.5))

COMMON = dict(channels=6, num_classes=CLASSES, norm_cfg=dict(type='BN'), dropout_ratio=0.1,
              loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0))
ONE, TWO = dict(in_channels=8, in_index=1), dict(in_channels=[4, 8], in_index=[0, 1])
HEADS = {
    'PSPHead': dict(type='PSPHead', pool_scales=(1, 2), align_corners=False, **ONE),
    'ASPPHead': dict(type='ASPPHead', dilations=(1, 2), align_corners=True, **ONE),
    'FCNHead': dict(type='FCNHead', num_convs=1, concat_input=False, align_corners=False, **ONE),
    'UPerHead': dict(type='UPerHead', pool_scales=(1, 2), align_corners=True, **TWO),
    'DepthwiseSeparableASPPHead': dict(type='DepthwiseSeparableASPPHead', dilations=(1, 2), c1_in_channels=4,
                                       c1_channels=3, align_corners=False, **ONE),
    'SegformerHead': dict(type='SegformerHead', align_corners=False, **TWO),
}
every_head = pytest.mark.parametrize('name', HEADS)


@pytest.fixture(autouse=True)
def mmseg_scope():
    """As under a Runner with MMSeg's default_scope, whatever ran before."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def plain_config(name, **changes):
    return Config(dict(decode_head={**COMMON, **HEADS[name], **changes}))


def build(config, seed=0):
    torch.manual_seed(seed)
    return MODELS.build(config.decode_head)


def twins(name, diff=DIFF, **changes):
    """The plain head and the same head with the diff merged into its config, attached; equal weights."""
    config = plain_config(name, **changes)
    plain = build(config)
    config.merge_from_dict(dict(decode_head=diff))
    return plain, attached(build(config))


def attached(head, strength=STRENGTH):
    """What ISDAHook does."""
    for pair in find_pairs(head):
        attach(pair.loss, pair.classifier, pair.head.align_corners)
        pair.loss.strength = strength
    return head


def batch(seed=0):
    """Feature maps of a backbone with two stages, and data samples with a fifth of the pixels ignored."""
    generator = torch.Generator().manual_seed(seed)
    inputs = [torch.randn(2, 4, 9, 9, generator=generator), torch.randn(2, 8, 5, 5, generator=generator)]
    labels = torch.randint(CLASSES, (2, *LABELS), generator=generator)
    labels.view(-1)[::5] = IGNORE
    return inputs, [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels], labels


def step(head, inputs, samples, seed=1):
    """One training step of a head; the same dropout for the same seed."""
    torch.manual_seed(seed)
    losses = head.loss([x.clone() for x in inputs], samples, train_cfg=None)
    sum(value for key, value in losses.items() if key.startswith('loss')).backward()
    return {key: value.detach() for key, value in losses.items()}


class Spy:
    """What entered conv_seg and what left it, by a hook of the test's own."""

    def __init__(self, head):
        head.conv_seg.register_forward_hook(self)

    def __call__(self, module, inputs, output):
        self.features, self.logits = inputs[0].detach().double(), output.detach().double()


def labels_where_features_sit(labels, size, align_corners):
    if not align_corners:
        return F.interpolate(labels[:, None].double(), size=size, mode='nearest-exact')[:, 0].long()
    rows, columns = ([round(i * (large - 1) / (small - 1)) for i in range(small)]
                     for small, large in zip(size, labels.shape[1:], strict=True))
    return labels[:, rows][:, :, columns]


def literal_logits(head, spy, labels, strength=STRENGTH):
    """Eq. 7's logits at label size from what the test's own hook saw; differentiable in the weight (C, A)."""
    weight = head.conv_seg.weight.detach().flatten(1).double().requires_grad_()
    logits = F.conv2d(spy.features, weight[:, :, None, None], head.conv_seg.bias.detach().double())
    assert_close(logits.detach(), spy.logits, rtol=1e-5, atol=1e-6)
    grid = labels_where_features_sit(labels, spy.features.shape[2:], head.align_corners)
    rows = spy.features.permute(0, 2, 3, 1).flatten(0, 2)
    covariance = reference.diagonal(reference.batch_moments(rows, grid.flatten(), CLASSES, IGNORE)[2])
    table = reference.margin_variance(weight, covariance)
    logits = F.interpolate(logits, size=LABELS, mode='bilinear', align_corners=head.align_corners)
    return augment_logits(logits, labels, table, strength, ignore_index=IGNORE), weight


def count(head):
    return [int(pair.loss.statistics.count.sum()) for pair in find_pairs(head)]


# -- heads with one softmax classifier ---------------------------------------------------------------------------------

@every_head
def test_the_merged_diff_changes_the_loss_and_nothing_else(name):
    plain, isda = twins(name)
    assert type(isda.loss_decode) is ISDALoss and isda.loss_decode.base.loss_weight == 1.0
    state = isda.state_dict()
    assert sorted(set(state) - set(plain.state_dict())) == [
        f'loss_decode.statistics.{key}' for key in ('count', 'covariance', 'mean')]
    assert all(torch.equal(value, state[key]) for key, value in plain.state_dict().items())


@every_head
def test_the_classifier_of_a_head_is_conv_seg(name):
    isda = twins(name)[1]
    assert [(pair.head, pair.loss, pair.classifier) for pair in find_pairs(isda)] == [
        (isda, isda.loss_decode, isda.conv_seg)]


@every_head
def test_a_training_step_is_eq_7_in_value_and_gradient(name):
    isda = twins(name)[1]
    spy, (inputs, samples, labels) = Spy(isda), batch()
    losses = step(isda, inputs, samples)
    logits, weight = literal_logits(isda, spy, labels)
    expected = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction='sum') / labels.numel()  # as MMSeg's mean
    expected.backward()
    assert_close(losses['loss_isda'].double(), expected.detach(), rtol=1e-5, atol=1e-6)
    assert_close(isda.conv_seg.weight.grad.flatten(1).double(), weight.grad, rtol=1e-4, atol=1e-6)
    plain = F.cross_entropy(literal_logits(isda, spy, labels, strength=0)[0], labels, ignore_index=IGNORE,
                            reduction='sum') / labels.numel()
    assert float((expected - plain).detach()) > 1e-4


@every_head
def test_strength_0_trains_bitwise_like_the_baseline_head(name):
    plain, isda = twins(name)
    attached(isda, strength=0.0)
    inputs, samples, _ = batch()
    losses, expected = step(isda, inputs, samples), step(plain, inputs, samples)
    assert torch.equal(losses['loss_isda'], expected['loss_ce'])
    gradients = {key: value.grad for key, value in plain.named_parameters()}
    assert all(torch.equal(value.grad, gradients.pop(key)) for key, value in isda.named_parameters())
    assert gradients == {}


@every_head
def test_acc_seg_uses_the_unaugmented_logits(name):
    plain, isda = twins(name)
    inputs, samples, labels = batch()
    spy = Spy(isda)
    losses, expected = step(isda, inputs, samples), step(plain, inputs, samples)
    assert torch.equal(losses['acc_seg'], expected['acc_seg'])
    logits = F.interpolate(spy.logits, size=LABELS, mode='bilinear', align_corners=isda.align_corners)
    right = (logits.argmax(dim=1) == labels)[labels != IGNORE].double().mean()
    assert_close(losses['acc_seg'].double().squeeze(), 100 * right)


@every_head
def test_evaluation_logits_equal_the_baseline_head_bitwise(name):
    plain, isda = twins(name)
    inputs, samples, _ = batch()
    step(isda, inputs, samples)
    plain.load_state_dict({key: value for key, value in isda.state_dict().items() if 'statistics' not in key})
    metas = [dict(img_shape=LABELS)] * 2
    with torch.no_grad():
        predicted, expected = (head.eval().predict(inputs, metas, None) for head in (isda, plain))
    assert torch.equal(predicted, expected)


@every_head
def test_statistics_are_observed_once_per_step_and_not_in_evaluation(name):
    isda = twins(name)[1]
    seen = []
    for seed in range(3):
        spy, (inputs, samples, labels) = Spy(isda), batch(seed)
        step(isda, inputs, samples)
        grid = labels_where_features_sit(labels, spy.features.shape[2:], isda.align_corners)
        seen.append(int((grid != IGNORE).sum()))
        assert count(isda) == [sum(seen)]
        isda.eval().predict(inputs, [dict(img_shape=LABELS)] * 2, None)
        with torch.no_grad():
            isda.loss(inputs, samples, None)
        isda.train()
        assert count(isda) == [sum(seen)]


# -- samplers, several losses, merged weights --------------------------------------------------------------------------

@pytest.mark.parametrize('thresh', [None, 0.7])
def test_an_ohem_pixel_sampler_weights_the_augmented_pixels(thresh):
    sampler = dict(type='OHEMPixelSampler', thresh=thresh, min_kept=300)
    plain, isda = twins('FCNHead', sampler=sampler)
    nn.init.normal_(isda.conv_seg.weight, std=2.0)  # some pixels are certain
    spy, (inputs, samples, labels) = Spy(isda), batch()
    losses = step(isda, inputs, samples)
    logits = F.interpolate(spy.logits.float(), size=LABELS, mode='bilinear')  # the sampler chooses by the plain logits
    weight = plain.sampler.sample(logits, labels[:, None])
    each = F.cross_entropy(literal_logits(isda, spy, labels)[0], labels, ignore_index=IGNORE, reduction='none')
    assert_close(losses['loss_isda'].double(), (each.detach() * weight).mean(), rtol=1e-5, atol=1e-6)
    grid = labels_where_features_sit(labels, spy.features.shape[2:], align_corners=False)
    assert count(isda) == [int((grid != IGNORE).sum())]
    assert 0 < int(weight.sum()) < int((labels != IGNORE).sum())


@pytest.mark.parametrize('thresh', [None, 0.7])
def test_an_ohem_pixel_sampler_at_strength_0_equals_the_baseline(thresh):
    plain, isda = twins('PSPHead', sampler=dict(type='OHEMPixelSampler', thresh=thresh, min_kept=300))
    attached(isda, strength=0.0)
    inputs, samples, _ = batch()
    assert torch.equal(step(isda, inputs, samples)['loss_isda'], step(plain, inputs, samples)['loss_ce'])
    assert torch.equal(isda.conv_seg.weight.grad, plain.conv_seg.weight.grad)


def test_an_ohem_base_selects_pixels_by_the_augmented_logits():
    base = dict(type='OhemCrossEntropy', thres=0.3, min_kept=50)
    isda = twins('FCNHead', dict(loss_decode=dict(type='ISDALoss', lambda_0=7.5, base=base, _delete_=True)))[1]
    spy, (inputs, samples, labels) = Spy(isda), batch()
    losses = step(isda, inputs, samples)
    expected = MODELS.build(base)(literal_logits(isda, spy, labels)[0], labels)
    assert_close(losses['loss_isda'].double(), expected.detach(), rtol=1e-5, atol=1e-6)


def test_a_list_of_losses_augments_only_the_isda_loss():
    losses = [dict(type='ISDALoss', lambda_0=7.5, loss_weight=0.5), dict(type='DiceLoss', loss_weight=3.0)]
    isda = attached(build(plain_config('ASPPHead', loss_decode=losses)))
    plain = build(plain_config('ASPPHead', loss_decode=[dict(type='CrossEntropyLoss'), losses[1]]))
    spy, (inputs, samples, labels) = Spy(isda), batch()
    got, expected = step(isda, inputs, samples), step(plain, inputs, samples)
    each = F.cross_entropy(literal_logits(isda, spy, labels)[0], labels, ignore_index=IGNORE, reduction='none')
    assert_close(got['loss_isda'].double(), 0.5 * each.detach().mean(), rtol=1e-5, atol=1e-6)
    assert torch.equal(got['loss_dice'], expected['loss_dice'])


def test_two_isda_losses_of_one_head_share_the_classifier():
    losses = [dict(type='ISDALoss', lambda_0=7.5, loss_name='loss_a'),
              dict(type='ISDALoss', lambda_0=0.5, covariance='full', loss_name='loss_b')]
    isda = attached(build(plain_config('FCNHead', loss_decode=losses)))
    inputs, samples, labels = batch()
    got = step(isda, inputs, samples)
    single = twins('FCNHead')[1]
    assert torch.equal(got['loss_a'], step(single, inputs, samples)['loss_isda'])
    assert count(isda) == count(single) * 2


def test_inheritance_keeps_loss_weights_and_custom_hooks(tmp_path):
    base, diff = tmp_path / 'base.py', tmp_path / 'isda.py'
    base.write_text(f"""
model = dict(decode_head=dict({HEADS['PSPHead']!r}, **{COMMON!r}),
             auxiliary_head=dict({HEADS['FCNHead']!r}, **{ {k: v for k, v in COMMON.items() if k != 'loss_decode'}!r},
                                 loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=0.4)))
custom_hooks = [dict(type='EMAHook')]
default_hooks = dict(logger=dict(type='LoggerHook', interval=50))
""")
    diff.write_text("""
_base_ = './base.py'
custom_imports = dict(imports=['isda_seg.losses', 'isda_seg.hooks'], allow_failed_imports=False)
model = dict(decode_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=7.5)),
             auxiliary_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=7.5)))
default_hooks = dict(isda=dict(type='ISDAHook'))
""")
    config = Config.fromfile(diff)
    assert config.custom_hooks == [dict(type='EMAHook')]
    assert sorted(config.default_hooks) == ['isda', 'logger']
    assert config.model.auxiliary_head.loss_decode.to_dict() == dict(
        type='ISDALoss', use_sigmoid=False, loss_weight=0.4, lambda_0=7.5)

    model = nn.Module()
    for key in ('decode_head', 'auxiliary_head'):
        torch.manual_seed(0)
        model.add_module(key, MODELS.build(config.model[key]))
    assert [(pair.name, pair.classifier) for pair in find_pairs(model)] == [
        ('decode_head', model.decode_head.conv_seg), ('auxiliary_head', model.auxiliary_head.conv_seg)]
    auxiliary = attached(model.auxiliary_head)
    spy, (inputs, samples, labels) = Spy(auxiliary), batch()
    losses = step(auxiliary, inputs, samples)
    each = F.cross_entropy(literal_logits(auxiliary, spy, labels)[0], labels, ignore_index=IGNORE, reduction='none')
    assert_close(losses['loss_isda'].double(), 0.4 * each.detach().mean(), rtol=1e-5, atol=1e-6)


def test_a_label_outside_the_classes_names_its_file_at_the_first_step():
    isda = twins('FCNHead')[1]
    inputs, samples, _ = batch()
    samples[1].gt_sem_seg.data[0, 3, 4] = CLASSES
    isda.loss_decode.sources = ['gt/first.png', 'gt/second.png']
    with pytest.raises(ValueError, match=r'label 4 in gt/second.png is neither one of the 4 classes \(0\.\.3\) nor the '
                                         r'ignore index \(255\)'):
        step(isda, inputs, samples)


# -- heads that keep their plain loss ----------------------------------------------------------------------------------

class MaskClassification(nn.Module):
    """A mask-classification head in miniature: its classifier has one output more, for 'no object'."""

    def __init__(self, loss_decode):
        super().__init__()
        self.num_classes = CLASSES
        self.cls_embed = nn.Linear(8, CLASSES + 1)
        self.mask_embed = nn.Linear(8, 8)
        self.loss_cls = MODELS.build(loss_decode)


def refused(head):
    model = nn.Module()
    model.add_module('decode_head', head)
    with pytest.raises(ValueError) as error:
        list(find_pairs(model))
    return str(error.value)


LOSS = DIFF['loss_decode']


@pytest.mark.parametrize('name, changes', [
    ('FCNHead', dict(loss_decode=LOSS)),
    ('PSPHead', dict(loss_decode=LOSS)),
    ('STDCHead', dict(type='STDCHead', boundary_threshold=0.1,
                      loss_decode=[LOSS, dict(type='DiceLoss', loss_name='loss_dice')])),
])
def test_a_head_with_one_output_channel_is_an_error(name, changes):
    source = 'FCNHead' if name == 'STDCHead' else name
    config = plain_config(source, num_classes=2, out_channels=1, threshold=0.5, **changes)
    message = refused(MODELS.build(config.decode_head))
    assert message.startswith(f'decode_head ({name}): ISDA needs exactly one softmax classifier')
    assert "with num_classes=2 outputs) directly in the module that holds the loss, found 0 among {'conv_seg': 1}" \
        in message


def test_mask_classification_is_an_error():
    message = refused(MaskClassification(LOSS))
    assert message.startswith('decode_head (MaskClassification): ISDA needs exactly one softmax classifier')
    assert "found 0 among {'cls_embed': 5, 'mask_embed': 8}" in message


def test_a_sigmoid_loss_is_an_error_when_the_head_is_built():
    config = plain_config('FCNHead', loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True))
    config.merge_from_dict(dict(decode_head=DIFF))
    with pytest.raises(ValueError, match='ISDALoss needs a softmax over the classes'):
        build(config)


def test_without_the_hook_the_first_step_names_default_hooks():
    config = plain_config('FCNHead')
    config.merge_from_dict(dict(decode_head=DIFF))
    inputs, samples, _ = batch()
    with pytest.raises(RuntimeError, match=r"default_hooks = dict\(isda=dict\(type='isda_seg.hooks.ISDAHook'\)\)"):
        step(build(config), inputs, samples)
