"""Metrics of the logits: bounded memory, equal results, and no harm to other metrics."""
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from isda_seg.core.prior import adjust_logits
from isda_seg.metrics.average_precision import ranking
from isda_seg.segmentation import PixelAveragePrecisionMetric, PixelLikelihoodMetric, adjusted_logits
from isda_seg.segmentation.adjusted_logits import with_adjusted_labels

C, H, W = 50, 40, 30
PRIOR = [-float(c) for c in range(C)]


@pytest.fixture
def sample():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, C, (1, H, W), generator=generator)
    labels[:, ::3, ::2] = 255
    logits = torch.randn(C, H, W, generator=generator)
    return dict(seg_logits=dict(data=logits), gt_sem_seg=dict(data=labels), img_path='a.png')


def whole(sample, adjustment=None):
    """All logits and labels of the labelled pixels at once."""
    kept = sample['gt_sem_seg']['data'].flatten() != 255
    added = None if adjustment is None else torch.tensor(adjustment)
    logits = adjust_logits(sample['seg_logits']['data'].flatten(1).t()[kept], added)
    return logits, sample['gt_sem_seg']['data'].flatten()[kept]


@pytest.mark.parametrize('chunk', [1, C * W * 7, 2 ** 30])
@pytest.mark.parametrize('adjustment', [None, PRIOR])
def test_sums_do_not_depend_on_the_chunks(sample, monkeypatch, chunk, adjustment):
    logits, labels = whole(sample, adjustment)
    log_p = logits.double().log_softmax(dim=1)
    confidence, predicted = log_p.exp().max(dim=1)
    place = (confidence * 15).ceil().long().sub(1).clamp(0, 14)
    expected = [torch.bincount(place, minlength=15), torch.bincount(place, confidence, minlength=15),
                torch.bincount(place[predicted == labels], minlength=15),
                torch.bincount(place, -log_p.gather(1, labels[:, None])[:, 0], minlength=15)]
    monkeypatch.setattr(adjusted_logits, 'CHUNK', chunk)
    found = PixelLikelihoodMetric(adjustment=adjustment)._sums(sample)
    assert all(torch.equal(own, right) for own, right in zip(found, expected, strict=True))
    histograms = PixelAveragePrecisionMetric(adjustment=adjustment)._sums(sample)
    assert all(torch.equal(own, right) for own, right in zip(histograms, ranking(logits, labels), strict=True))
    labels = with_adjusted_labels(sample, PRIOR)['pred_sem_seg']['data']
    assert torch.equal(labels, adjust_logits(sample['seg_logits']['data'][None], torch.tensor(PRIOR)).argmax(1))


class Largest(TorchDispatchMode):
    """Largest number of bytes of a new tensor."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for one in found if isinstance(found, (list, tuple)) else [found]:
            if isinstance(one, torch.Tensor) and one._base is None:
                self.bytes = max(self.bytes, one.numel() * one.element_size())
        return found


def test_memory_on_top_of_the_logits_is_bounded(sample, monkeypatch):
    monkeypatch.setattr(adjusted_logits, 'CHUNK', 4 * C * W)
    with Largest() as largest:
        PixelLikelihoodMetric(adjustment=PRIOR)._sums(sample)
        with_adjusted_labels(sample, PRIOR)
    assert largest.bytes <= max(8 * 4 * C * W, 8 * H * W)  # a block in float64, and one number per pixel


@pytest.mark.parametrize('kind', [PixelLikelihoodMetric, PixelAveragePrecisionMetric])
@pytest.mark.parametrize('logits', [torch.zeros(1, H, W), torch.zeros(C, H + 1, W), None])
def test_an_unsuitable_prediction_costs_only_the_metric(sample, kind, logits):
    metric = kind()
    metric.dataset_meta = dict(classes=[str(c) for c in range(C)])
    other = {key: value for key, value in dict(sample, seg_logits=dict(data=logits)).items()
             if logits is not None or key != 'seg_logits'}
    metric.process(None, [sample, other])
    assert metric.evaluate(2) == {}
    metric.process(None, [sample])
    assert metric.evaluate(1) != {}


def test_outputs_beyond_the_classes_of_the_dataset_have_no_precision(sample):
    def found(classes):
        metric = PixelAveragePrecisionMetric()
        metric.dataset_meta = dict(classes=[str(c) for c in range(classes)])
        metric.process(None, [sample])
        return metric.evaluate(1)

    every, some = found(C), found(3)
    assert list(some) == ['mean_AP', 'AP.0', 'AP.1', 'AP.2'] and some['AP.2'] == every['AP.2']
    assert some['mean_AP'] == pytest.approx(sum(every[f'AP.{c}'] for c in range(3)) / 3)
    assert found(C + 1) == every
