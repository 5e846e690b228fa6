"""Box heads with the structure of MMDetection's: C + 1 softmax outputs, background last; MMDetection is not needed."""

from types import SimpleNamespace

import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.two_ranks import two_ranks
from torch import nn
from torch.testing import assert_close

from isda_seg.hooks import ISDAHook
from isda_seg.losses import wrap_with_isda
from isda_seg.openmmlab.statistics_warnings import StatisticsWarnings
from isda_seg.openmmlab.wrapping import wrap_losses

CLASSES, CHANNELS = 3, 5


class CrossEntropyLoss(nn.Module):
    """MMDetection's: the sum of weighted losses over ``avg_factor``, times ``loss_weight``."""

    def __init__(self, use_sigmoid=False, loss_weight=2.0):
        super().__init__()
        self.use_sigmoid, self.loss_weight = use_sigmoid, loss_weight

    def forward(self, cls_score, label, weight=None, avg_factor=None, reduction_override=None, ignore_index=-100):
        losses = F.cross_entropy(cls_score, label, reduction='none', ignore_index=ignore_index)
        losses = losses if weight is None else losses * weight
        if reduction_override == 'none':
            return self.loss_weight * losses
        return self.loss_weight * (losses.mean() if avg_factor is None else losses.sum() / avg_factor)


class BBoxHead(nn.Module):
    """A box head whose class-agnostic boxes have as many outputs as its classifier."""

    def __init__(self, loss=None):
        super().__init__()
        self.num_classes = CLASSES
        self.fc_cls, self.fc_reg = nn.Linear(CHANNELS, CLASSES + 1), nn.Linear(CHANNELS, 4)
        self.loss_cls, self.loss_bbox = loss or CrossEntropyLoss(), nn.L1Loss()


class Shared2FCBBoxHead(BBoxHead):
    """A head by inheritance."""


def named(name, head):
    """A head as an instance of a class with another name."""
    head.__class__ = type(name, (head.__class__,), {})
    return head


def within(name, head):
    """A model whose module of that class holds the head."""
    parent, model = type(name, (nn.Module,), {})(), nn.Module()
    parent.bbox_head = model.roi_head = parent
    parent.add_module('bbox_head', head)
    return model


def cascade(stages=3):
    torch.manual_seed(0)
    model, roi_head = nn.Module(), nn.Module()
    roi_head.bbox_head = nn.ModuleList([Shared2FCBBoxHead() for _ in range(stages)])
    model.roi_head = roi_head
    return model


def proposals(seed=0, number=24):
    """Features (N, A), labels (N,) with three background proposals of four, and label weights (N,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (number,), generator=generator)
    labels[number // 4:] = CLASSES
    return (torch.randn(number, CHANNELS, generator=generator), labels,
            torch.rand(number, generator=generator) + 0.5)


@pytest.mark.parametrize('ignore_background', [True, False])
def test_each_stage_is_eq_7_over_its_weighted_proposals(ignore_background):
    model = cascade()
    pairs, lines = wrap_losses(model, wrap_with_isda(3.0, ignore_background=ignore_background))
    assert [pair.name for pair in pairs] == [f'roi_head.bbox_head.{stage}' for stage in range(3)]
    for stage, (pair, line) in enumerate(zip(pairs, lines, strict=True)):
        assert line.startswith(f'ISDA: roi_head.bbox_head.{stage} (Shared2FCBBoxHead): loss_cls is attached to fc_cls, '
                               '4 classes x 5 channels, lambda_0=3.0')
        assert ('background=3' in line) == ignore_background
        assert line.endswith('loss_bbox is not wrapped: L1Loss is not a softmax cross-entropy of one label per sample')
        pair.loss.strength = 3.0
        (features, labels, weights), head = proposals(stage), pair.head
        loss = head.loss_cls(head.fc_cls(features), labels, weights, avg_factor=17.0)
        weight = head.fc_cls.weight.detach().double()
        covariance = reference.diagonal(reference.batch_moments(features, labels, CLASSES + 1)[2])
        table = reference.margin_variance(weight, covariance)
        assert table[CLASSES].max() > 0.01
        if ignore_background:
            table[CLASSES] = 0
        logits = features.double() @ weight.t() + head.fc_cls.bias.detach().double()
        expected = 0.0
        for logit, y, w in zip(logits, labels.tolist(), weights.double(), strict=True):
            expected += 2.0 * w * (torch.logsumexp(logit + 1.5 * table[y], 0) - logit[y]) / 17.0
        assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
        assert pair.loss.statistics.count.tolist() == torch.bincount(labels, minlength=CLASSES + 1).tolist()


def test_strength_0_equals_the_loss_of_the_head_bitwise():
    model, (features, labels, weights) = cascade(1), proposals()
    head = model.roi_head.bbox_head[0]
    base = head.loss_cls
    wrap_losses(model, wrap_with_isda(3.0))
    logits = head.fc_cls(features)
    loss = head.loss_cls(logits, labels, weights, avg_factor=17.0)
    assert torch.equal(loss, base(logits, labels, weights, avg_factor=17.0))
    with torch.no_grad():  # hard example mining evaluates the loss of every proposal before
        losses = head.loss_cls(head.fc_cls(features), labels, weights, reduction_override='none')
    assert losses.shape == labels.shape and int(head.loss_cls.statistics.count.sum()) == len(labels)


def step_on_a_rank(rank, folder, covariance):
    """Three steps of a cascade in which the second rank has proposals in the middle one only; state of the stages."""
    model = cascade(2)
    pairs, _ = wrap_losses(model, wrap_with_isda(3.0, covariance=covariance))
    for step in range(3):
        features, labels, weights = (part[:0 if rank and step != 1 else None] for part in proposals(10 * step + rank))
        for pair in pairs:
            pair.loss.strength = 3.0
            logits = pair.head.fc_cls(features)
            if logits.numel():  # as in BBoxHead.loss
                pair.head.loss_cls(logits, labels, weights, avg_factor=17.0).backward()
    return [pair.loss.statistics.state_dict() for pair in pairs]


@pytest.mark.parametrize('covariance', ['diagonal', 'full'])
def test_a_rank_without_proposals_takes_part_in_the_exchange(covariance, tmp_path):
    states = two_ranks(step_on_a_rank, tmp_path, covariance)
    features, labels, _ = (torch.cat(parts) for parts in zip(proposals(0), proposals(10), proposals(11), proposals(20),
                                                             strict=True))
    count, mean, covariances = reference.batch_moments(features, labels, CLASSES + 1)
    for state in (stage for stages in states for stage in stages):
        assert state['count'].tolist() == count.tolist()
        assert_close(state['mean'].double(), mean, rtol=1e-5, atol=1e-6)
        expected = covariances if covariance == 'full' else reference.diagonal(covariances)
        assert_close(state['covariance'].double(), expected, rtol=1e-4, atol=1e-5)


def test_a_head_that_calls_the_loss_without_proposals_observes_them_once():
    model = cascade(1)
    (pair,), _ = wrap_losses(model, wrap_with_isda(3.0))
    calls = []
    pair.loss.statistics.observe = lambda features, *args, **kwargs: calls.append(len(features))
    for features, labels, _ in ([part[:0] for part in proposals()], proposals()):
        pair.loss(pair.head.fc_cls(features), labels)
    assert calls == [0, 24]


def test_two_losses_of_a_step_merge_both_batches_at_one_strength():
    """As in SoftTeacher: labelled, then pseudo-labelled proposals."""
    (pair,), _ = wrap_losses(cascade(1), wrap_with_isda(3.0))
    hook = ISDAHook(lambda_0=3.0)
    hook.pairs = [pair]
    seen, strengths = [], []
    for step in range(2):
        hook.before_train_iter(SimpleNamespace(iter=step, max_iters=4), step)
        for features, labels, weights in (proposals(2 * step), proposals(2 * step + 1, 12)):
            pair.loss(pair.head.fc_cls(features), labels, weights, avg_factor=17.0).backward()
            seen.append((features, labels))
            strengths.append(pair.loss.strength)
    assert strengths == [0.75, 0.75, 1.5, 1.5]
    features, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
    count, mean, covariance = reference.batch_moments(features, labels, CLASSES + 1)
    assert pair.loss.statistics.count.tolist() == count.tolist()
    assert_close(pair.loss.statistics.covariance.double(), reference.diagonal(covariance), rtol=1e-4, atol=1e-5)


def test_a_head_of_images_has_no_background():
    head = named('FCNHead', BBoxHead())
    head.num_classes = CLASSES + 1
    del head.fc_reg
    (pair,), (line,) = wrap_losses(within('EncoderDecoder', head), wrap_with_isda(3.0))
    assert pair.loss.background is None and 'background' not in line


class NormedLinear(nn.Linear):
    """MMDetection's cosine classifier."""


def cosine():
    head = BBoxHead()
    head.fc_cls = NormedLinear(CHANNELS, CLASSES + 1)
    return head


@pytest.mark.parametrize('model, reason', [
    (lambda: within('RoIHead', BBoxHead(CrossEntropyLoss(use_sigmoid=True))),
     'CrossEntropyLoss with use_sigmoid is not a softmax'),
    (lambda: within('RoIHead', named('MultiInstanceBBoxHead', BBoxHead())), 'it has several classifiers'),
    (lambda: within('PISARoIHead', BBoxHead()), 'it calls the loss a second time'),
    (lambda: within('DETR', named('DETRHead', BBoxHead())), 'it calls the loss for every decoder layer'),
    (lambda: within('YOLACT', named('AnchorHead', BBoxHead())), 'its classifier runs once for each feature level'),
    (lambda: within('RoIHead', cosine()), 'its classifier normalises weight and features')],
    ids=['sigmoid', 'several', 'pisa', 'detr', 'anchors', 'cosine'])
def test_an_unsupported_head_keeps_its_loss_with_the_reason(model, reason):
    with pytest.raises(ValueError, match=r'found no loss to wrap. roi_head.bbox_head \(\w+\): loss_cls is not wrapped: '
                                         + reason):
        wrap_losses(model(), wrap_with_isda(3.0))


def test_unseen_classes_of_box_heads_have_names_and_teachers_no_warning():
    model = cascade(2)
    pairs, _ = wrap_losses(model, wrap_with_isda(3.0))
    pairs[1].loss.eval()
    pairs[0].loss.statistics.count[1] = 4
    (message,) = StatisticsWarnings().new(pairs, 10, 10, ('cat', 'dog', 'cow'))
    assert message.split('. ')[0] == 'ISDA: after 10 steps, roi_head.bbox_head.0 has no feature of cat, cow, background'
