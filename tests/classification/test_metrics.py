"""Top-k accuracy over images and ranks; non-finite logits count as wrong."""
import pytest
import torch
from helpers.two_ranks import two_ranks
from mmengine.registry import METRICS

from isda_seg.classification import LikelihoodMetric, TopKAccuracy

LOGITS = torch.tensor([[3., 2, 1, 0], [2, 3, 1, 0], [0, 1, 2, 3], [1, 0, 2, 3], [9, 1, 1, 1]])
LABELS = torch.tensor([0, 0, 0, 3, 2])     # found at places 0, 1, 3, 0, and among three ties


def evaluate(metric, *batches, size):
    for logits, labels in batches:
        metric.process({}, [dict(logits=logits, labels=labels)])
    return metric.evaluate(size)


def test_top_1_and_top_2_are_counted_in_per_cent():
    found = evaluate(TopKAccuracy(topk=(1, 2)), (LOGITS[:4], LABELS[:4]), size=4)
    assert found == dict(top1_accuracy=50.0, top1_error=50.0, top2_accuracy=75.0, top2_error=25.0)


def test_batch_size_does_not_change_the_result():
    metric = METRICS.build(dict(type='TopKAccuracy', topk=(1, 3)))
    whole = evaluate(metric, (LOGITS, LABELS), size=5)
    assert evaluate(metric, (LOGITS[:1], LABELS[:1]), (LOGITS[1:], LABELS[1:]), size=5) == whole
    assert whole['top1_accuracy'] == 40.0


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_non_finite_logits_count_as_wrong(value):
    logits = LOGITS.clone()
    logits[0, 0] = value
    assert evaluate(TopKAccuracy(), (logits[:2], LABELS[:2]), size=2)['top1_accuracy'] == 0.0


def test_half_precision_logits_are_supported():
    assert evaluate(TopKAccuracy(), (LOGITS.bfloat16(), LABELS), size=5)['top1_error'] == 60.0


def test_mean_class_error_weights_present_classes_equally():
    metric = TopKAccuracy(topk=(2,), mean_class_error=True)
    found = evaluate(metric, (LOGITS[:4], LABELS[:4]), size=4)  # of class 0 one of three is right, of class 3 the one
    assert found == dict(top2_accuracy=75.0, top2_error=25.0, mean_class_error=pytest.approx(100 * (2 / 3 + 0) / 2))


def test_adjustment_changes_the_ranking():
    plain, adjusted = (evaluate(TopKAccuracy(adjustment=adjustment), (LOGITS[:4], LABELS[:4]), size=4)
                       for adjustment in (None, [1.5, 0, 0, 0]))
    assert plain['top1_accuracy'] == 50.0     # 0, 1, 3, 3 are predicted
    assert adjusted['top1_accuracy'] == 75.0  # 0, 0, 3, 3


def on_rank(rank, folder):
    """Images rank, rank + 2, ..., the last one of the other rank repeated."""
    mine = [0, 2, 4] if rank == 0 else [1, 3, 0]
    return evaluate(TopKAccuracy(topk=(1, 2)), (LOGITS[mine], LABELS[mine]), size=5)


def test_two_ranks_count_every_image_once(tmp_path):
    alone = evaluate(TopKAccuracy(topk=(1, 2)), (LOGITS, LABELS), size=5)
    assert two_ranks(on_rank, tmp_path) == [alone] * 2


def test_labels_without_a_logit_cost_only_the_likelihood():
    metric = LikelihoodMetric()
    assert evaluate(metric, (LOGITS[:2], LABELS[:2]), (LOGITS[2:], LABELS[2:] + 4), size=5) == {}
    assert set(evaluate(metric, (LOGITS, LABELS), size=5)) == {'nll', 'ece'}
