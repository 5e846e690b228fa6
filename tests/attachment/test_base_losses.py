"""Properties of base losses: divisor of their mean, accepted keywords, precision of their tensors."""
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isda_seg.attachment import base_losses

IGNORE = 255
LABELS = torch.tensor([[0, 1, IGNORE, 2], [2, 2, 1, IGNORE]])


class Own(nn.Module):
    """A user-defined loss."""

    def __init__(self, ignore_label=None):
        super().__init__()
        if ignore_label is not None:
            self.ignore_label = ignore_label

    def forward(self, logits, labels, weight=None):
        return F.cross_entropy(logits, labels, ignore_index=IGNORE)


class Anything(nn.Module):
    def forward(self, logits, labels, **kwargs):
        return torch.tensor(float(kwargs['ignore_index']))


def test_the_mean_divides_by_the_labelled_samples_or_by_1():
    loss = base_losses.MeanCrossEntropy()
    mean = base_losses.averaging_of(loss, LABELS, {})
    assert int(mean.divisor(LABELS, IGNORE)) == 6
    assert int(mean.divisor(torch.full_like(LABELS, IGNORE), IGNORE)) == 1


@pytest.mark.parametrize('loss, kwargs', [(Own(), {}), (base_losses.MeanCrossEntropy(), dict(weight=1)),
                                          (type('Heir', (base_losses.MeanCrossEntropy,), {})(), {})])
def test_a_loss_that_is_not_a_mean_gives_none(loss, kwargs):
    assert base_losses.averaging_of(loss, LABELS, kwargs) is None


def test_the_ignore_index_is_passed_to_losses_that_accept_it():
    logits = torch.randn(2, 3, 4)
    own, mean = (base_losses.value(loss, logits, LABELS, IGNORE, {}, factor=2.0)
                 for loss in (Own(), base_losses.MeanCrossEntropy()))
    torch.testing.assert_close(own, 2 * F.cross_entropy(logits, LABELS, ignore_index=IGNORE))
    torch.testing.assert_close(mean, own)
    assert float(base_losses.value(Anything(), logits, LABELS, IGNORE, {})) == IGNORE


@pytest.mark.parametrize('loss, kwargs, message', [
    (Own(), dict(avg_factor=3), r"Own does not accept \['avg_factor'\].*It accepts \['logits', 'labels', 'weight'\]"),
    (Own(ignore_label=0), {}, 'the base loss ignores label 0, the ISDA loss was called with ignore_index=255')])
def test_unsupported_keywords_are_an_error(loss, kwargs, message):
    with pytest.raises(ValueError, match=message):
        base_losses.check_call(loss, torch.zeros(1, 2), IGNORE, kwargs)


def test_supported_keywords_pass():
    assert base_losses.check_call(Own(IGNORE), torch.zeros(1, 2), IGNORE, dict(weight=None)) is None
    assert base_losses.check_call(Anything(), torch.zeros(1, 2), IGNORE, dict(whatever=1)) is None


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_class_weights_of_a_cast_model_have_the_dtype_of_the_logits(dtype):
    weight = torch.tensor([1.0, 0.5, 2.0])
    loss = nn.Sequential(nn.CrossEntropyLoss(weight=weight, ignore_index=IGNORE)).to(dtype)[0]
    logits = torch.randn(2, 3, 4, dtype=torch.promote_types(dtype, torch.float32))
    found = base_losses.value(loss, logits, LABELS, IGNORE, {})
    torch.testing.assert_close(found, F.cross_entropy(logits, LABELS, weight.to(logits), ignore_index=IGNORE))
    assert loss.weight.dtype == dtype


class Weighted(nn.Module):
    """A loss whose class weights are a plain attribute, as ``.to`` and ``.bfloat16`` do not change."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels, self.weight, ignore_index=IGNORE)


class Listed(Weighted):
    """A loss that makes a tensor from a list in each call."""

    def forward(self, logits, labels):
        weight = torch.tensor(self.weight, dtype=torch.bfloat16)
        return F.cross_entropy(logits, labels, weight, ignore_index=IGNORE)


@pytest.mark.parametrize('nested', [False, True])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.float32])
def test_class_weights_in_a_plain_attribute_get_the_dtype_of_the_logits(dtype, nested):
    weight, logits = torch.tensor([1.0, 0.5, 2.0], dtype=dtype), torch.randn(2, 3, 4)
    loss = Weighted(weight)
    if nested:
        outer = Own()
        outer.inner, outer.forward = loss, lambda *arguments: loss(*arguments)
    found = base_losses.value(outer if nested else loss, logits, LABELS, IGNORE, {})
    torch.testing.assert_close(found, F.cross_entropy(logits, LABELS, weight.float(), ignore_index=IGNORE))
    assert loss.weight is weight


def test_a_tensor_that_a_loss_replaces_is_kept():
    class Counting(Weighted):
        def forward(self, logits, labels):
            loss = super().forward(logits, labels)
            self.weight = self.weight + 1
            return loss

    loss = Counting(torch.ones(3, dtype=torch.bfloat16))
    base_losses.value(loss, torch.randn(2, 3, 4), LABELS, IGNORE, {})
    assert loss.weight.tolist() == [2.0, 2.0, 2.0]


def test_a_tensor_in_another_precision_is_an_error_with_a_remedy():
    loss, logits = Listed([1.0, 0.5, 2.0]), torch.randn(2, 3, 4)
    with pytest.raises(RuntimeError, match='Listed got logits in torch.float32, because ISDA augments them in this '
                                           'precision. Create its tensors with logits.new_tensor'):
        base_losses.value(loss, logits, LABELS, IGNORE, {})
    loss.forward = lambda z, y: F.cross_entropy(z, y, z.new_tensor(loss.weight), ignore_index=IGNORE)
    expected = F.cross_entropy(logits, LABELS, torch.tensor(loss.weight), ignore_index=IGNORE)
    torch.testing.assert_close(base_losses.value(loss, logits, LABELS, IGNORE, {}), expected)


def test_labels_are_converted_to_the_ignore_index_of_the_loss():
    labels, ignored = base_losses.labels_for_base(Own(), torch.tensor([0, 4, 2]), 4, IGNORE)
    assert (labels.tolist(), ignored) == ([0, IGNORE, 2], IGNORE)
    mean = base_losses.MeanCrossEntropy()
    labels, ignored = base_losses.labels_for_base(mean, torch.tensor([0, 4, 2]), 4, IGNORE)
    assert (labels.tolist(), ignored) == ([0, 4, 2], 4)
